"""The benchmark `fleet`: many serving nodes that hold polls on one daemon, client and server on this machine."""

import csv
import json
import os
import queue
import re
import statistics
import subprocess
import threading
import time
import urllib.request

from main_job import DemoError

PUBLISHES = 100
IDLE_SECONDS = 60
WAIT_SECONDS = 45
FEW = 10
# What the published long-poll servers and our own design ask for.
BARS = {
    "resident memory of the daemon with all nodes held": (400, "MiB"),
    "processor time of the daemon while idle": (10, "%"),
    "commit to the last node, median": (300, "ms"),
    "commit to the last node, 99th percentile": (1500, "ms"),
    "304 answers a second": (10_000, "/s"),
    "304 answers, 99th percentile": (20, "ms"),
    "all nodes held again after a restart": (15, "s"),
}


class Nodes:
    """The load generator, and the events that it prints."""

    def __init__(self, programs, address, ensemble, token, count):
        host, port = address.rsplit(":", 1)
        self.process = subprocess.Popen(
            [f"{programs}/fleet-benchmark", host, port, ensemble, str(token), str(count), str(WAIT_SECONDS)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.events = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.events.put(json.loads(line))
        self.events.put(None)

    def wait(self, event, seconds, **fields):
        deadline = time.monotonic() + seconds
        while True:
            try:
                found = self.events.get(timeout=max(0.001, deadline - time.monotonic()))
            except queue.Empty:
                raise DemoError(f"the nodes did not say '{event}' within {seconds} s") from None
            if found is None:
                raise DemoError("the load generator ended")
            if found["event"] == event and all(found[key] == value for key, value in fields.items()):
                return found

    def stop(self):
        self.process.stdin.close()
        self.process.wait(timeout=60)


def fleet(options, bench_of, work, entry):
    """Entries of all figures; `options.nodes` nodes."""
    bench = bench_of(options.programs, work / "fleet")
    ensemble, token = "fleet", work / "fleet" / "registry" / "admin.token"
    try:
        found_twice(bench, work / "fleet", ensemble)
        entries = {}
        few = queries_a_second(bench, ensemble, token, FEW, options)
        nodes = Nodes(options.programs, bench.daemon.address, ensemble, token, options.nodes)
        try:
            nodes.wait("whole", 120)
            time.sleep(5)
            queries, processor = idle(bench)
            entries["resident memory of the daemon with all nodes held"] = resident(bench.daemon.process.pid)
            entries["processor time of the daemon while idle"] = processor
            last = [publish(bench, nodes, ensemble, token) for _ in range(PUBLISHES)]
            entries["commit to the last node, median"] = statistics.median(last)
            entries["commit to the last node, 99th percentile"] = sorted(last)[int(len(last) * 0.99) - 1]
            entries["all nodes held again after a restart"] = restart(bench, nodes)
        finally:
            nodes.stop()
        entries["304 answers a second"], entries["304 answers, 99th percentile"] = not_modified(
            bench, ensemble, token, work)
        result = [
            entry(f"{case}, {options.nodes} nodes" if "304" not in case else case, value, *bar_of(case))
            for case, value in entries.items()
        ]
        result.append(entry(
            f"database transactions a second, idle, {options.nodes} nodes", queries, few, f"{FEW} nodes", "/s", False))
        return result
    finally:
        bench.daemon.stop()


def bar_of(case):
    bar, unit = BARS[case]
    return bar, "bar", unit, unit == "/s"


def found_twice(bench, work, ensemble):
    """An ensemble with two manifests, to go to and fro between."""
    rows = [(f"row-{index:05}", index % 4, index // 10) for index in range(2000)]
    names = ["exact", "substitute", "complement", "irrelevant"]
    with open(work / "labels.csv", "w", newline="") as file:
        csv.writer(file).writerows(
            [("id", "label", "group"), *((id, names[label], group) for id, label, group in rows)])
    for number, model in enumerate(["first", "second"]):
        with open(work / f"{model}.csv", "w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", *names])
            for index, (id, label, _) in enumerate(rows):
                right = 0.4 + 0.4 * ((index * 7 + number * 3) % 10 > 3)
                row = [(1 - right) / 3] * 4
                row[label] = right
                writer.writerow([id, *row])
    bench.create(ensemble, work / "labels.csv", 2)
    bench.registry.run("submit", ensemble, "first@1", "--predictions", work / "first.csv")
    bench.registry.run("ensembles", "found", ensemble, "--wait")
    bench.registry.run("submit", ensemble, "second@1", "--predictions", work / "second.csv", "--wait")
    if bench.registry.json("ensembles", "show", ensemble)["sequence"] != 2:
        raise DemoError("the second model was not admitted")


def publish(bench, nodes, ensemble, token):
    """Milliseconds from before a rollback is sent to the last node's knowing of it: more than from its commit."""
    newest = bench.registry.json("ensembles", "show", ensemble)["sequence"]
    request = urllib.request.Request(
        f"http://{bench.daemon.address}/api/v1/ensembles/{ensemble}/rollback",
        json.dumps({"to": newest - 1, "reason": "benchmark"}).encode(),
        {"Authorization": f"Bearer {token.read_text().strip()}", "Content-Type": "application/json"})
    began = time.time()
    with urllib.request.urlopen(request, timeout=30) as answer:
        promotion = json.load(answer)
    event = nodes.wait("learned", 60, position=f"1.{promotion['sequence']}")
    if event["failures"]:
        raise DemoError(f"{event['failures']} polls failed")
    return (event["last"] - began) * 1000


def restart(bench, nodes):
    """Seconds from the daemon's answering again to all nodes' holding a poll."""
    bench.restart()
    began = time.time()
    return nodes.wait("whole", 120)["at"] - began


def idle(bench):
    """Database transactions a second, and the daemon's share of a processor in percent."""
    before, used, began = transactions(bench), processor_seconds(bench.daemon.process.pid), time.monotonic()
    time.sleep(IDLE_SECONDS)
    seconds = time.monotonic() - began
    return (
        (transactions(bench) - before) / seconds,
        (processor_seconds(bench.daemon.process.pid) - used) / seconds * 100)


def queries_a_second(bench, ensemble, token, count, options):
    nodes = Nodes(options.programs, bench.daemon.address, ensemble, token, count)
    try:
        nodes.wait("whole", 60)
        time.sleep(5)
        return idle(bench)[0]
    finally:
        nodes.stop()


def transactions(bench):
    # Another transaction's figures are told when it is idle for a second.
    time.sleep(2)
    text = bench.psql("SELECT sum(xact_commit + xact_rollback) FROM pg_stat_database WHERE datname = current_database()")
    return int(re.search(r"\d+", text)[0])


def resident(pid):
    """Resident memory of a process, in MiB."""
    with open(f"/proc/{pid}/status") as file:
        return int(file.read().split("VmRSS:")[1].split()[0]) / 1024


def processor_seconds(pid):
    with open(f"/proc/{pid}/stat") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def not_modified(bench, ensemble, token, work):
    """Answers a second to polls that have the newest timestamp, and milliseconds of the 99th percentile."""
    address = f"http://{bench.daemon.address}/tuf/{ensemble}/metadata/timestamp.json"
    script = work / "not-modified.lua"
    secret = token.read_text().strip()
    # The timestamp is signed again every minute, so that some answers are whole.
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {secret}"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        tag = answer.headers["ETag"]
    script.write_text(
        f'wrk.headers["Authorization"] = "Bearer {secret}"\nwrk.headers["If-None-Match"] = \'{tag}\'\n')
    done = subprocess.run(
        ["wrk", "-t1", "-c64", "-d15s", "--latency", "-s", script, address], capture_output=True, text=True, check=True)
    rate = float(re.search(r"Requests/sec:\s*([\d.]+)", done.stdout)[1])
    value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", done.stdout).groups()
    print(done.stdout, flush=True)
    return rate, float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]

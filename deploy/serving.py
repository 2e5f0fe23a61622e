"""The benchmark `serving`: the serving node and LightGBM behind FastAPI, the same champion, requests and members."""

import contextlib
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request

import numpy

from main_job import DemoError, Server, wait_until_serving
from scoring import add_packages

MEMBERS, ROWS, BATCHES, HIT_SHARES = 6, 10_000, (1, 16, 64), (0, 0.5, 0.95)
SECONDS, WARM_SECONDS, TURNS, CONNECTIONS, SWAP_SECONDS = 4, 1, 2, 16, 20
PEER_PACKAGES = "fastapi==0.115.14 uvicorn==0.34.3 uvloop==0.21.0 httptools==0.6.4 orjson==3.10.18 aiohttp==3.12.13"
PEER = "FastAPI + LightGBM"
FIGURES = (("requests/s", "rate", True), ("p50 ms", "p50", False), ("p99 ms", "p99", False), ("p99.9 ms", "p999", False))
FOLDER = pathlib.Path(__file__).parent


def serving(options, work, bench, simulated, write_labels, write_predictions, entry):
    """Entries of every kind of request, then of a manifest that is swapped under load."""
    label, predictions = simulated(ROWS, MEMBERS + 1, seed=11)
    tables = work / "members"
    tables.mkdir()
    names = [f"m{index}" for index in range(MEMBERS + 1)]
    for name, probability in zip(names, predictions):
        probability.astype("<f4").tofile(tables / f"{name}.f32")
        write_predictions(work / f"{name}.csv", probability)
    write_labels(work / "labels.csv", label)
    with contextlib.ExitStack() as stack:
        stack.callback(bench.daemon.stop)
        members = stack.enter_context(running_members(options.programs, tables, work))
        bench.create("serving", work / "labels.csv", MEMBERS + 1)
        for name in names[:-1]:
            submit(bench, work, name, members)
        bench.registry.json("ensembles", "found", "serving", "--wait")
        champion = bench.registry.json("manifest", "get", "serving", "--combiner", work / "combiner.txt")["manifest"]
        gate = stack.enter_context(Gate(bench.daemon.address))
        node = stack.enter_context(running_node(options.programs, bench, gate, work))
        wait_until_serving(node, "serving", champion["sequence"])
        used = [member["model"] for member in champion["members"]]
        peer = stack.enter_context(running_peer(work, used, members))
        write_bodies(work, used, names, predictions)
        check_agreement(node, peer, work)
        print(f"{len(used)} members, {champion['combiner']['trees']} trees, {CONNECTIONS} connections from one wrk "
              f"thread, all on this machine; the peer with 2 processes, uvloop, httptools and orjson", flush=True)
        entries = []
        for case, arguments in cases(work):
            entries += compared(case, arguments, node, peer, entry)
        return entries + swapped(bench, gate, node, members, work, names[-1], entry)


def submit(bench, work, name, members):
    return bench.registry.json(
        "submit", "serving", f"{name}@1", "--predictions", work / f"{name}.csv", "--endpoint", f"http://{members}?inputs=row",
        "--wait")


def cases(work):
    """Names of the cases and arguments of load.lua."""
    for batch in BATCHES:
        yield f"outputs given, batch {batch}", [work / f"bodies{batch}", batch, "-"]
    for batch in BATCHES:
        yield f"members called, batch {batch}", ["-", batch, "-"]
    for share in HIT_SHARES:
        yield f"{share:.0%} of rows cached, batch 16", ["-", 16, share]


@contextlib.contextmanager
def running_members(programs, tables, work):
    address = work / "members.address"
    with open(work / "members.log", "ab") as log:
        process = subprocess.Popen([f"{programs}/serving-benchmark", tables, address], stdout=log, stderr=log)
    try:
        while not (address.exists() and address.read_text().endswith("\n")):
            if process.poll() is not None:
                raise DemoError(f"serving-benchmark ended: {(work / 'members.log').read_text()}")
            time.sleep(0.02)
        yield address.read_text().strip()
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def running_node(programs, bench, gate, work):
    token = work / "node.token"
    token.touch(mode=0o600)
    token.write_text(bench.registry.json("tokens", "create", "node", "--scope", "node")["secret"])
    node = Server(
        [f"{programs}/registry-node", "run", "--registry", f"http://{gate.address}", "--ensemble", "serving", "--state",
         str(work / "node"), "--listen", "127.0.0.1:0", "--token-file", str(token), "--root",
         str(bench.work / "registry" / "keys" / "root.json")],
        work / "node.log", bench.environment, work / "node.address")
    try:
        yield node.address
    finally:
        node.stop()


@contextlib.contextmanager
def running_peer(work, members, member_address):
    packages = add_packages(PEER_PACKAGES)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = dict(
        os.environ, PYTHONPATH=os.pathsep.join([str(packages), str(FOLDER)]), PEER_MODEL=str(work / "combiner.txt"),
        PEER_MEMBERS=",".join(members), PEER_MEMBER_URL=f"http://{member_address}", PEER_CACHE="100000")
    with open(work / "peer.log", "ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "peer_server:app", "--port", str(port), "--workers", "2", "--loop", "uvloop",
             "--http", "httptools", "--no-access-log", "--log-level", "warning"],
            stdout=log, stderr=log, env=environment)
    try:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            if process.poll() is not None or time.monotonic() > deadline:
                raise DemoError(f"uvicorn does not listen: {(work / 'peer.log').read_text()[-2000:]}")
            time.sleep(0.1)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


class Gate:
    """A way to the registry that can be closed: the node then serves on without it."""

    def __init__(self, target):
        self.target = target.rsplit(":", 1)
        self.is_open = True
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:{}".format(self.listener.getsockname()[1])
        self.connections = set()

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.close()
        self.listener.close()

    def close(self):
        self.is_open = False
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def open(self):
        self.is_open = True

    def accept(self):
        with contextlib.suppress(OSError):  # Closed: the benchmark ends.
            while True:
                client, _ = self.listener.accept()
                if not self.is_open:
                    client.close()
                    continue
                server = socket.create_connection((self.target[0], int(self.target[1])))
                for source, sink in ((client, server), (server, client)):
                    self.connections.add(source)
                    threading.Thread(target=self.pass_on, args=(source, sink), daemon=True).start()

    def pass_on(self, source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self.connections.discard(source)
        source.close()


def write_bodies(work, used, names, predictions):
    """Requests that bring the members' tensors, one a line."""
    random = numpy.random.default_rng(5)
    for batch in BATCHES:
        with open(work / f"bodies{batch}", "w") as file:
            for _ in range(512):
                rows = random.integers(0, ROWS, batch)
                inputs = [
                    dict(name=name, datatype="FP32", shape=[batch, 4],
                         data=[float(f"{p:.7g}") for p in predictions[names.index(name)][rows].ravel()])
                    for name in used]
                file.write(json.dumps({"inputs": inputs}) + "\n")


def check_agreement(node, peer, work):
    """Both give the same probabilities for the same requests."""
    row = {"name": "row", "datatype": "INT64", "shape": [3, 1], "data": [5, 17, 9999]}
    key = {"name": "key", "datatype": "BYTES", "shape": [3], "data": ["check-5", "check-17", "check-9999"]}
    bodies = [open(work / "bodies64").readline(), json.dumps({"inputs": [row]})] + [json.dumps({"inputs": [row, key]})] * 2
    for body in bodies:
        answers = [probabilities(address, body) for address in (node, peer)]
        difference = abs(answers[0] - answers[1]).max()
        if difference > 1e-9:
            raise DemoError(f"node and peer differ by {difference:.1e}")


def probabilities(address, body):
    request = urllib.request.Request(
        f"http://{address}/v2/models/serving/infer", body.encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return numpy.array(json.load(response)["outputs"][0]["data"])


def load(address, arguments, seconds, run):
    """What wrk measures; an answer that is no 200 ends the benchmark."""
    done = subprocess.run(
        ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "10s", "-s", FOLDER / "load.lua",
         f"http://{address}/v2/models/serving/infer", "--", *map(str, arguments), run], capture_output=True, text=True)
    found = re.search(r"^RESULT (.*)$", done.stdout, re.MULTILINE)
    if done.returncode != 0 or not found:
        raise DemoError(f"wrk failed: {done.stdout}{done.stderr}")
    result = json.loads(found[1])
    if result["errors"]:
        raise DemoError(f"{address} failed on {result['errors']} of {result['requests']} requests: {done.stdout}")
    return result | {"rate": result["requests"] / result["seconds"]}


def compared(case, arguments, node, peer, entry):
    """One case: both sides in turn, medians of the turns."""
    results = {node: [], peer: []}
    for turn in range(TURNS):
        for address in (node, peer):
            if turn == 0:
                load(address, arguments, WARM_SECONDS, f"{case}-warm")
            results[address].append(load(address, arguments, SECONDS, f"{case}-{turn}"))
    mean = {side: {key: numpy.mean([r[key] for r in runs]) for _, key, _ in FIGURES} for side, runs in results.items()}
    print(f"{case}: {mean[node]['rate']:.0f} requests/s, p99 {mean[node]['p99']:.2f} ms; peer {mean[peer]['rate']:.0f}, "
          f"{mean[peer]['p99']:.2f} ms", flush=True)
    return [entry(f"{case}, {unit}", mean[node][key], mean[peer][key], PEER, unit, higher)
            for unit, key, higher in FIGURES]


def swapped(bench, gate, node, members, work, newcomer, entry):
    """The same load without and with a new manifest that takes effect meanwhile."""
    arguments = ["-", 16, 0.5]
    load(node, arguments, WARM_SECONDS, "swap-warm")
    quiet = load(node, arguments, SWAP_SECONDS, "swap-quiet")
    gate.close()
    verdict = submit(bench, work, newcomer, members)["decision"]["verdict"]
    sequence = bench.registry.json("manifest", "get", "serving")["manifest"]["sequence"]
    if sequence == served_sequence(node):
        raise DemoError(f"{newcomer} was not admitted ({verdict}): there is no manifest to swap to")
    before = served_sequence(node)
    gate.open()
    with_swap = load(node, arguments, SWAP_SECONDS, "swap")
    if served_sequence(node) != sequence:
        raise DemoError(f"the node did not follow to manifest {sequence} within {SWAP_SECONDS} s")
    print(f"swap of manifest {before} to {sequence} under load: no failed request of {with_swap['requests']}; longest "
          f"{with_swap['max']:.1f} ms, without a swap {quiet['max']:.1f} ms", flush=True)
    return [entry(f"swap under load, batch 16, {unit}", with_swap[key], quiet[key], "without a swap", unit, higher)
            for unit, key, higher in FIGURES]


def served_sequence(node):
    with urllib.request.urlopen(f"http://{node}/v2/models/serving", timeout=10) as response:
        return json.load(response)["parameters"]["sequence"]

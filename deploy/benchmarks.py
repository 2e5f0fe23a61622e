"""Benchmarks of the registry's programs against the usual tools; called by deploy/benchmark."""

import argparse
import hashlib
import itertools
import json
import math
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import lightgbm
import numpy

import polling
import scoring
import serving
import shapley
import simulation
from main_job import DemoError, Registry, Server

CLASSES = ["exact", "substitute", "complement", "irrelevant"]
FOLDS = 5
ROUNDS = 60
# The preset `standard`, by LightGBM's names.
PARAMETERS = dict(
    objective="multiclass", num_class=len(CLASSES), learning_rate=0.1, num_leaves=7, min_data_in_leaf=40,
    min_sum_hessian_in_leaf=1e-3, lambda_l2=5.0, max_bin=63, min_data_in_bin=3, feature_pre_filter=False,
    deterministic=True, force_row_wise=True, seed=7, num_threads=1, verbosity=-1)


class Bench:
    """A registry of its own in a scratch folder."""

    def __init__(self, programs, work):
        self.programs, self.work = programs, work
        work.mkdir(mode=0o711, exist_ok=True)
        environment = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "REGISTRY_TOKEN")}
        self._start("127.0.0.1:0", environment)
        environment |= {
            "REGISTRY_URL": f"http://{self.daemon.address}", "REGISTRY_TOKEN_FILE": str(work / "registry" / "admin.token")}
        self.environment = environment
        self.registry = Registry(f"{programs}/registry", environment)

    def _start(self, listen, environment):
        self.daemon = Server(
            [f"{self.programs}/registryd", "serve", "--listen", listen, "--data-dir", str(self.work / "registry"),
             "--worker-threads", "1"],  # As many as the peer has.
            self.work / "registryd.log", environment, self.work / "address")

    def restart(self):
        """Ends the daemon, and starts it again at the same address."""
        address = self.daemon.address
        self.daemon.stop()
        self._start(address, self.environment)

    def create(self, ensemble, labels, members):
        policy = self.work / f"{ensemble}.policy.json"
        policy.write_text(json.dumps(
            {"admission": "shapley-top-k", "budget": {"members": members}, "preset": "standard", "parsimony": 0}))
        classes = [option for name in CLASSES for option in ("--class", name)]
        self.registry.run("ensembles", "create", ensemble, "--labels", labels, *classes, "--policy", policy)

    def peak_memory(self):
        """Peak resident memory of the daemon, in MB."""
        return resident_peak(self.daemon.process.pid)

    def psql(self, statement, database="registry"):
        socket = (self.work / "registry" / "postgres").rglob("postmaster.pid").__next__().read_text().splitlines()[4]
        user = subprocess.run(["stat", "-c", "%U", next((self.work / "registry" / "postgres").rglob("PG_VERSION"))],
                              capture_output=True, text=True, check=True).stdout.strip()
        for role in ("registry", user):
            done = subprocess.run(["psql", "-X", "-q", "-h", socket, "-U", role, "-d", database, "-c", statement],
                                  capture_output=True, text=True)
            if done.returncode == 0:
                return done.stdout
        raise DemoError(f"psql failed: {done.stderr}")


def simulated(rows, models, seed):
    """Labels, groups of ten rows and models of about equal skill, all of them needed; float32 probabilities."""
    random = numpy.random.default_rng(seed)
    label = random.integers(0, len(CLASSES), rows)
    hard = random.normal(size=(rows, len(CLASSES)))
    predictions = []
    for index in range(models):
        score = 0.3 * hard + random.normal(size=hard.shape)
        score[numpy.arange(rows), label] += 0.9 + 0.02 * index
        probability = numpy.exp(score - score.max(axis=1, keepdims=True))
        predictions.append((probability / probability.sum(axis=1, keepdims=True)).astype(numpy.float32))
    return label, predictions


def write_labels(path, label):
    with open(path, "w") as file:
        file.write("id,label,group\n")
        file.writelines(f"row-{i:08d},{CLASSES[y]},group-{i // 10:07d}\n" for i, y in enumerate(label))


def write_predictions(path, probability):
    with open(path, "w") as file:
        file.write("id," + ",".join(CLASSES) + "\n")
        file.writelines(
            f"row-{i:08d}," + ",".join(f"{p:.7g}" for p in row) + "\n" for i, row in enumerate(probability.tolist()))


def timed(command, environment=None):
    """Wall seconds and peak memory in MB of a command that must succeed."""
    began = time.perf_counter()
    child = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
    peak = 0.0
    while child.poll() is None:
        try:
            # Not ru_maxrss: that begins with what this process had when it forked.
            peak = max(peak, resident_peak(child.pid))
        except (OSError, IndexError):
            pass  # It has just ended.
        time.sleep(0.01)
    if child.returncode not in (0, 4, 5):
        raise DemoError(f"{command[0]} failed: {child.stderr.read().decode(errors='replace')}")
    return time.perf_counter() - began, peak


def resident_peak(pid):
    """Peak resident memory of a running process, in MB."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def ingest(options, work):
    rows = int(options.rows or 1_000_000)
    bench = Bench(options.programs, work)
    try:
        label, predictions = simulated(rows, 1, seed=1)
        write_labels(work / "labels.csv", label)
        file = work / "predictions.csv"
        write_predictions(file, predictions[0])
        megabytes = file.stat().st_size / 1e6
        bench.create("ingest", work / "labels.csv", 8)
        bench.psql("CREATE TABLE predictions (id text, " + ", ".join(f"{c} real" for c in CLASSES) + ")")
        ours, peers, client = [], [], 0
        for version in range(1, 4):
            seconds, memory = timed(
                [f"{options.programs}/registry", "submit", "ingest", f"model@{version}", "--predictions", file],
                bench.environment)
            ours.append(seconds)
            client = max(client, memory)
            began = time.perf_counter()
            bench.psql(f"\\copy predictions FROM '{file}' WITH (FORMAT csv, HEADER true)")
            peers.append(time.perf_counter() - began)
            bench.psql("TRUNCATE predictions")
        ours, peer = sorted(ours)[1], sorted(peers)[1]
        print(f"{rows} rows x {len(CLASSES)} classes, {megabytes:.0f} MB of CSV; medians of 3")
        print(f"peak memory: daemon {bench.peak_memory():.0f} MB, client {client:.0f} MB")
        return [entry(f"ingest of {rows} rows", megabytes / ours, megabytes / peer, "psql \\copy", "MB/s", True)]
    finally:
        bench.daemon.stop()


def hash_folds(rows, salt):
    fold = [int.from_bytes(hashlib.sha256(f"fold|{salt}\x1fgroup-{g:07d}".encode()).digest()[:8], "big") % FOLDS
            for g in range((rows + 9) // 10)]
    return numpy.repeat(fold, 10)[:rows]


def python_evaluation(label, predictions, fold):
    """What an admission evaluation computes, with lightgbm and numpy: the fit of members and challenger and of every set
    without one of them, the metrics' inputs, Shapley values by pred_contrib summed over each model's columns, and SAGE."""
    count, width = len(predictions), len(CLASSES)

    def cross_fit(models):
        columns = numpy.concatenate([predictions[m] for m in models], axis=1).astype(numpy.float64)
        out, boosters = numpy.zeros((len(label), width)), []
        for f in range(FOLDS):
            train = fold != f
            booster = lightgbm.train(PARAMETERS, lightgbm.Dataset(columns[train], label[train]), ROUNDS)
            out[~train] = booster.predict(columns[~train], num_threads=1)
            boosters.append(booster)
        loss = -numpy.log(numpy.clip(out[numpy.arange(len(label)), label], 1e-7, 1 - 1e-7)).mean()
        return columns, boosters, loss

    columns, boosters, loss = cross_fit(range(count))
    leave_one_out = [cross_fit([m for m in range(count) if m != left])[2] - loss for left in range(count)]
    absolute = numpy.zeros(count)
    for f, booster in enumerate(boosters):
        contributions = booster.predict(columns[fold == f], pred_contrib=True, num_threads=1)
        contributions = contributions.reshape(-1, width, columns.shape[1] + 1)[:, :, :-1]
        absolute += numpy.abs(contributions.reshape(-1, width, count, width).sum(axis=3)).sum(axis=(0, 1))
    sage = python_sage(boosters, columns, label, fold, count)
    return loss, leave_one_out, absolute / len(label), sage


def python_sage(boosters, columns, label, fold, count):
    width, value, rows = len(CLASSES), numpy.zeros(1 << count), 0
    for f, booster in enumerate(boosters):
        index = numpy.flatnonzero(fold == f)[:400]
        scores = path_values(booster, columns[index], count, width)
        scores -= scores.max(axis=2, keepdims=True)
        probability = numpy.exp(scores)
        probability /= probability.sum(axis=2, keepdims=True)
        value += numpy.log(numpy.clip(probability[:, numpy.arange(len(index)), label[index]], 1e-7, 1 - 1e-7)).sum(axis=1)
        rows += len(index)
    value /= rows
    weights = [math.factorial(s) * math.factorial(count - s - 1) / math.factorial(count) for s in range(count)]
    return [sum(weights[mask.bit_count()] * (value[mask | 1 << m] - value[mask]) for mask in range(1 << count) if not mask >> m & 1)
            for m in range(count)]


def path_values(booster, rows, count, width):
    """Path-dependent raw scores of every coalition of models: 2^count x rows x classes."""
    out = numpy.zeros((1 << count, len(rows), width))

    def leaves(node, one, zero, total):
        if "split_feature" not in node:
            yield node["leaf_value"], one, zero
            return
        group = node["split_feature"] // width
        for child, goes in (("left_child", lambda x, t: x <= t), ("right_child", lambda x, t: x > t)):
            below = node[child]
            cover = below.get("internal_count", below.get("leaf_count"))
            holds = goes(rows[:, node["split_feature"]], node["threshold"])
            yield from leaves(
                below, one | {group: one[group] & holds if group in one else holds},
                zero | {group: zero.get(group, 1.0) * cover / node["internal_count"]}, cover)

    for index, tree in enumerate(booster.dump_model()["tree_info"]):
        for leaf_value, one, zero in leaves(tree["tree_structure"], {}, {}, None):
            groups = sorted(one)
            for size in range(len(groups) + 1):
                for inside in itertools.combinations(groups, size):
                    term = numpy.full(len(rows), leaf_value)
                    for group in groups:
                        term = term * (one[group] if group in inside else zero[group])
                    wanted, among = sum(1 << g for g in inside), sum(1 << g for g in groups)
                    masks = [mask for mask in range(1 << count) if mask & among == wanted]
                    out[masks, :, index % width] += term
    return out


def evaluation(options, work):
    entries = []
    bench = Bench(options.programs, work)
    try:
        for rows in map(int, (options.rows or "10000,100000,500000").split(",")):
            label, predictions = simulated(rows, 8, seed=2)
            ensemble = f"evaluation-{rows}"
            write_labels(work / "labels.csv", label)
            bench.create(ensemble, work / "labels.csv", 8)
            for index, probability in enumerate(predictions):
                write_predictions(work / f"model{index}.csv", probability)
            for index in range(7):
                bench.registry.json("submit", ensemble, f"model{index}@1", "--predictions", work / f"model{index}.csv")
            bench.registry.json("ensembles", "found", ensemble, "--wait")
            bench.registry.json("submit", ensemble, "model7@1", "--predictions", work / "model7.csv", "--wait")
            ours = float(bench.psql(
                "COPY (SELECT o.seconds FROM evaluation_outcome o JOIN evaluation e ON e.id = o.evaluation_id "
                "ORDER BY e.id DESC LIMIT 1) TO STDOUT"))
            members = bench.registry.json("ensembles", "show", ensemble)
            decision = bench.registry.json("decisions", "list", ensemble)["items"][0]
            judged = len(decision["members_before"]) + 1
            if judged != len(predictions):
                raise DemoError(f"{judged} models were judged, not {len(predictions)}: the comparison would be unfair")
            began = time.perf_counter()
            python_evaluation(label, predictions, hash_folds(rows, members["epoch"]["salt"]))
            peer = time.perf_counter() - began
            entries.append(entry(f"evaluation of 8 models, {rows} rows", ours, peer, "lightgbm in Python", "s", False))
            print(f"{rows} rows: ours {ours:.1f} s, Python {peer:.1f} s; models judged: {judged}", flush=True)
    finally:
        bench.daemon.stop()
    return entries


REFERENCE = """
import json, resource, sys, time
import numpy
directory, reference, models, classes, group, budget = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
sys.path.insert(0, reference)
from engine import Engine
label = numpy.fromfile(f"{directory}/labels.i32", "<i4")
rows = len(label)
engine = Engine(label, numpy.array([f"group{i // group:08d}" for i in range(rows)]), numpy.full(rows, "all"), classes,
                dict(count=budget))
names = [f"model{i:08d}@1" for i in range(models)]
predictions = {n: numpy.fromfile(f"{directory}/model{i}.f32", "<f4").reshape(rows, classes).astype(float)
               for i, n in enumerate(names)}
for name in names[:-1]:
    engine.P[name], engine.meta[name], engine.tenure[name] = predictions[name], {}, 0
engine.members = sorted(names[:-1])
def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
began, used = time.perf_counter(), cpu()
decision = engine.submit(names[-1], predictions[names[-1]])["decision"]
print(json.dumps(dict(seconds=time.perf_counter() - began, cpu_seconds=cpu() - used, verdict=decision,
                      peak_megabytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)))
"""


def gate(options, work):
    """Evaluations by the gate, each in a process of its own; the reference does the same but for utilities."""
    rows = list(map(int, (options.rows or "10000,100000,1000000").split(",")))
    models = list(map(int, (options.models or "16,32,64").split(",")))
    cases = [(n, 8) for n in rows] + [(20_000, m) for m in models]
    entries = []
    for count, width in cases:
        label, predictions = simulated(count, width, seed=3)
        label.astype("<i4").tofile(work / "labels.i32")
        for index, probability in enumerate(predictions):
            probability.astype("<f4").tofile(work / f"model{index}.f32")
        shape = [width, len(CLASSES), 10, width - 1]
        ours = measured([f"{options.programs}/evaluation-benchmark", work, *shape, options.threads])
        phases = ", ".join(f"{name} {seconds:.1f}" for name, seconds in
                           sorted(ours["phases"].items(), key=lambda item: -item[1]) if seconds >= 0.05)
        print(f"{count} rows, {width} models: {ours['seconds']:.1f} s, CPU {ours['cpu_seconds']:.1f} s, "
              f"{ours['peak_megabytes']:.0f} MB, {ours['fits']} sets, {ours['verdict']}; {phases}; "
              f"Shapley and SAGE {ours['phases']['utility'] / ours['seconds']:.1%}", flush=True)
        if options.reference and count <= 100_000 and width <= 9:
            peer = measured([sys.executable, "-c", REFERENCE, work, options.reference, *shape])
            print(f"{'':8}reference: {peer['seconds']:.1f} s, CPU {peer['cpu_seconds']:.1f} s, "
                  f"{peer['peak_megabytes']:.0f} MB, {peer['verdict']}", flush=True)
            if peer["verdict"] != ours["verdict"]:
                raise DemoError(f"the reference says {peer['verdict']}, ours {ours['verdict']}")
            for unit, key in (("s", "seconds"), ("MB", "peak_megabytes")):
                entries.append(entry(f"gate, {width} models, {count} rows", ours[key], peer[key], "engine.py", unit, False))
    return entries


def measured(command):
    """The JSON that a measuring program prints."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode != 0:
        raise DemoError(f"{command[0]} failed: {done.stderr[-2000:]}")
    return json.loads(done.stdout)


def entry(case, ours, peer, peer_name, unit, higher_is_better, least=0.0):
    """A line of the table; figures below `least`, what a case can resolve, count as that in the ratio."""
    first, second = max(ours, least), max(peer, least)
    ratio = first / second if higher_is_better else second / first
    return dict(case=case, ours=ours, peer=peer, peer_name=peer_name, unit=unit, ratio=ratio, higher_is_better=higher_is_better)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "name",
        choices=["ingest", "evaluation", "fleet", "gate", "scoring", "serving", "shapley", "simulate"])
    parser.add_argument("--programs", required=True)
    parser.add_argument("--rows")
    parser.add_argument("--models")
    parser.add_argument("--nodes", type=int, default=10_000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--reference", type=pathlib.Path)
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    work = pathlib.Path(tempfile.mkdtemp(prefix="registry-benchmark-"))
    work.chmod(0o711)  # Postgres runs as another user when we are root.
    try:
        if options.name == "simulate":
            entries = simulation.simulate(options, entry)
        elif options.name == "fleet":
            entries = polling.fleet(options, Bench, work, entry)
        elif options.name == "scoring":
            entries = scoring.scoring(options, work, entry)
        elif options.name == "serving":
            entries = serving.serving(
                options, work, Bench(options.programs, work), simulated, write_labels, write_predictions, entry)
        elif options.name == "shapley":
            entries = shapley.shapley(options, work, simulated, measured, entry)
        else:
            entries = {"ingest": ingest, "evaluation": evaluation, "gate": gate}[options.name](options, work)
    except DemoError as error:
        sys.exit(f"benchmark: {error}")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(f"{'case':52}{'ours':>12}{'peer':>12}  {'unit':6}{'ratio':>8}  peer")
    for e in entries:
        print(f"{e['case']:52}{e['ours']:12.2f}{e['peer']:12.2f}  {e['unit']:6}{e['ratio']:8.2f}  {e['peer_name']}")
    if options.json:
        options.json.write_text(json.dumps(entries, indent=1) + "\n")


if __name__ == "__main__":
    main()

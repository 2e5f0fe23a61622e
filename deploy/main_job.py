"""The main job on one data set, through the programs a user would run: registryd, registry, registry-node.

Called by deploy/demo with an interpreter that has lightgbm and numpy, which check the node's answers independently.
"""

import argparse
import csv
import gzip
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import lightgbm
import numpy

METRICS = ("accuracy", "macro_f1", "weighted_f1", "log_loss")
DEFAULT_DATA = pathlib.Path(__file__).parent / "demo-data" / "mnist"
NODE_ROWS = 5
START_SECONDS = 120


class DemoError(Exception):
    """Something the demo cannot go on without; the message says what to do."""


class Server:
    """A child process that writes its address to a file once it listens, and is ended by its own id."""

    def __init__(self, command, log, environment, address_file):
        self.name, self.log = pathlib.Path(command[0]).name, log
        address_file.unlink(missing_ok=True)
        with open(log, "ab") as output:
            self.process = subprocess.Popen(
                command + ["--address-file", str(address_file)], stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                env=environment)
        deadline = time.monotonic() + START_SECONDS
        while not address_file.exists():
            if self.process.poll() is not None:
                raise DemoError(f"{self.name} ended with status {self.process.returncode}:\n{self.tail()}")
            if time.monotonic() > deadline:
                self.stop()
                raise DemoError(f"{self.name} did not listen within {START_SECONDS} s:\n{self.tail()}")
            time.sleep(0.02)
        self.address = address_file.read_text().strip()

    def tail(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-15:])

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(90)  # Its Postgres writes a checkpoint first.
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Registry:
    """The command line of a running registry."""

    VERDICT_STATUSES = (0, 4, 5)

    def __init__(self, program, environment):
        self.program, self.environment = program, environment

    def run(self, *arguments):
        """What people see."""
        return self._run(list(arguments))

    def json(self, *arguments):
        """What programs see; a rejecting verdict is an answer, not a failure."""
        return json.loads(self._run([*arguments, "--json"]))

    def _run(self, arguments):
        done = subprocess.run([self.program, *map(str, arguments)], capture_output=True, text=True, env=self.environment)
        if done.returncode not in self.VERDICT_STATUSES:
            raise DemoError(f"registry {' '.join(map(str, arguments))} failed with status {done.returncode}:\n{done.stderr}")
        return done.stdout


class DataSet:
    """A folder of labels, classes, models in order of submission and their predictions."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("labels.csv", "classes.txt", "models.json"):
            if not (folder / name).is_file():
                raise DemoError(f"{folder} is not a data set: it has no {name}")
        self.classes = [line for line in (folder / "classes.txt").read_text().splitlines() if line]
        self.models = json.loads((folder / "models.json").read_text())
        if not any(model.get("founder") for model in self.models):
            for model in self.models[:6]:
                model["founder"] = True
        self.founders = [model for model in self.models if model.get("founder")]
        self.newcomers = [model for model in self.models if not model.get("founder")]

    def predictions_file(self, model):
        for suffix in (".csv", ".csv.gz"):
            path = self.folder / (model["name"] + suffix)
            if path.is_file():
                return path
        raise DemoError(f"{self.folder} has neither {model['name']}.csv nor {model['name']}.csv.gz")

    def predictions(self, name, rows):
        """The probabilities of a model, float32, for some row ids."""
        with self.open(name) as file:
            by_id = {row["id"]: row for row in csv.DictReader(file) if row["id"] in rows}
        return numpy.array([[float(by_id[row][c]) for c in self.classes] for row in rows], dtype=numpy.float32)

    def row_groups(self, models):
        """The group of each row that all of some models have, in the order of the row ids."""
        with open(self.folder / "labels.csv", newline="") as file:
            groups = {row["id"]: row.get("group") or row["id"] for row in csv.DictReader(file)}
        ids = set(groups)
        for name in models:
            with self.open(name) as file:
                ids &= {row["id"] for row in csv.DictReader(file)}
        return {row: groups[row] for row in sorted(ids, key=str.encode)}

    def open(self, name):
        path = self.predictions_file({"name": name})
        return (gzip.open if path.suffix == ".gz" else open)(path, "rt", newline="")


def submit(registry, ensemble, data, model):
    metadata = ["--kind", model["kind"]] if model.get("kind") else []
    if model.get("description"):
        metadata += ["--description", model["description"]]
    if model.get("latency_ms_per_row") is not None:
        metadata += ["--latency-ms", str(model["latency_ms_per_row"])]
    if model.get("usd_per_10k_rows") is not None:
        metadata += ["--cost-usd-per-10k", str(model["usd_per_10k_rows"])]
    return registry.json(
        "submit", ensemble, f"{model['name']}@{model.get('version', 1)}", "--predictions", data.predictions_file(model),
        *metadata, "--wait")


def metrics_of(decision, subject, model=None):
    for row in decision["metrics"]:
        if row["subject"] == subject and row.get("model") == model:
            return {key: row["metrics"][key] for key in METRICS}
    raise DemoError(f"decision {decision['id']} has no metrics of {model or subject}")


def has_figures(decision):
    """A hold, for one, has none."""
    return any(row["subject"] == "ensemble" for row in decision["metrics"])


def table(rows):
    print(f"{'':24}{'accuracy':>10}{'macro-F1':>10}{'weighted-F1':>13}{'log-loss':>10}")
    for name, metrics in rows:
        print(f"{name:24}" + "".join(f"{metrics[key]:{width}.4f}" for key, width in zip(METRICS, (10, 10, 13, 10))))


def score_with_lightgbm(combiner, columns):
    return lightgbm.Booster(model_file=str(combiner)).predict(columns)


def combiner_columns(predictions, groups):
    """What the combiner sees: of each member its probabilities and, where groups are given, their deviations from its
    mean over the rows of the same group."""
    columns = []
    for probability in (p.astype(numpy.float64) for p in predictions):
        columns.append(probability)
        if groups is not None:
            names = numpy.array(groups)
            mean = {name: probability[names == name].mean(axis=0) for name in set(groups)}
            columns.append(probability - numpy.array([mean[name] for name in groups]))
    return numpy.concatenate(columns, axis=1)


def ask_node(address, ensemble, predictions, groups):
    inputs = [
        {"name": name, "datatype": "FP32", "shape": list(values.shape), "data": [float(value) for value in values.ravel()]}
        for name, values in predictions.items()
    ]
    if groups is not None:
        inputs.append({"name": "group", "datatype": "BYTES", "shape": [len(groups)], "data": groups})
    body = {"inputs": inputs}
    request = urllib.request.Request(
        f"http://{address}/v2/models/{ensemble}/infer", json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        answer = json.load(response)
    outputs = {output["name"]: output for output in answer["outputs"]}
    probabilities = numpy.array(outputs["probabilities"]["data"]).reshape(outputs["probabilities"]["shape"])
    return probabilities, outputs["label"]["data"], answer["parameters"]


def wait_until_serving(address, ensemble, sequence):
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://{address}/v2/models/{ensemble}", timeout=10) as response:
                if str(sequence) in json.load(response)["versions"]:
                    return
        except OSError:  # Not listening or not serving yet; URLError is one.
            pass
        time.sleep(0.05)
    raise DemoError(f"the node did not serve manifest {sequence} of {ensemble} within {START_SECONDS} s")


def check_node(address, ensemble, data, manifest, combiner):
    """Whether node, registry and Python's LightGBM agree on some rows, to 1e-12."""
    wait_until_serving(address, ensemble, manifest["sequence"])
    members = [member["model"] for member in manifest["members"]]
    sees_groups = manifest.get("columns") == "probability+group"
    group_of = data.row_groups(members)
    shown = list(group_of)[:NODE_ROWS]
    rows, groups = shown, None
    if sees_groups:
        # The rows of a group go together.
        wanted = {group_of[row] for row in shown}
        rows = shown + [row for row, group in group_of.items() if group in wanted and row not in shown]
        groups = [group_of[row] for row in rows]
    predictions = {name: data.predictions(name, rows) for name in members}
    node, labels, parameters = ask_node(address, ensemble, predictions, groups)
    python = score_with_lightgbm(combiner, combiner_columns(predictions.values(), groups))

    if sees_groups:
        print(f"asked for {len(rows)} rows: the whole groups of these {len(shown)}")
    print(f"{'row':20}{'answer':>14}{'node':>22}{'LightGBM in Python':>22}")
    for index, row in enumerate(shown):
        best = int(node[index].argmax())
        print(f"{row:20}{labels[index]:>14}{node[index, best]:22.16f}{python[index, best]:22.16f}")

    # The registry's own scores travel in the manifest, as bits.
    golden = manifest["golden"]
    golden_inputs = numpy.array([[int(bits, 16) for bits in row] for row in golden["inputs"]], dtype=numpy.uint32).view(numpy.float32)
    raw = numpy.array([[int(bits, 16) for bits in row] for row in golden["raw_scores"]], dtype=numpy.uint64).view(numpy.float64)
    shifted = numpy.exp(raw - raw.max(axis=1, keepdims=True))
    registry = shifted / shifted.sum(axis=1, keepdims=True)
    width = len(data.classes)
    golden_predictions = {name: golden_inputs[:, i * width:(i + 1) * width] for i, name in enumerate(members)}
    golden_groups = [str(group) for group in golden["groups"]] if sees_groups else None
    node_golden, _, _ = ask_node(address, ensemble, golden_predictions, golden_groups)

    differences = {
        "node and Python": float(abs(node - python).max()),
        "node and registry": float(abs(node_golden - registry).max()),
    }
    for pair, difference in differences.items():
        print(f"largest difference of {pair}: {difference:.1e}")
    return parameters["sequence"] == manifest["sequence"] and max(differences.values()) <= 1e-12


def run(options, work):
    data = DataSet(options.data)
    ensemble = re.sub(r"[^a-z0-9.-]", "-", options.data.resolve().name.lower())
    registry_dir = work / "registry"
    environment = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "REGISTRY_TOKEN")}
    policy = options.policy
    if policy is None:
        policy = work / "policy.json"
        policy.write_text(json.dumps({"budget": {"members": len(data.founders)}}))
    daemon = Server(
        [f"{options.programs}/registryd", "serve", "--listen", "127.0.0.1:0", "--data-dir", str(registry_dir), "--log-level", "info"],
        work / "registryd.log", environment, work / "registryd.address")
    try:
        environment |= {"REGISTRY_URL": f"http://{daemon.address}", "REGISTRY_TOKEN_FILE": str(registry_dir / "admin.token")}
        registry = Registry(f"{options.programs}/registry", environment)
        result = main_job(registry, ensemble, data, policy, work)
        token = work / "node.token"
        if not token.exists():
            token.touch(mode=0o600)
            token.write_text(registry.json("tokens", "create", "demo-node", "--scope", "node")["secret"])
        node = Server(
            [f"{options.programs}/registry-node", "run", "--registry", environment["REGISTRY_URL"], "--ensemble", ensemble,
             "--state", str(work / "node"), "--listen", "127.0.0.1:0", "--token-file", str(token),
             "--root", str(registry_dir / "keys" / "root.json")],
            work / "node.log", environment, work / "node.address")
        try:
            print("\nA serving node's answers")
            manifest = registry.json("manifest", "get", ensemble, "--combiner", work / "combiner.txt")
            result["node_agrees"] = check_node(node.address, ensemble, data, manifest["manifest"], work / "combiner.txt")
        finally:
            node.stop()
        if not options.no_fleet:
            import fleet  # Which takes its tools from here.

            result["fleet"] = fleet.run(options.programs, registry, environment, work)
    finally:
        daemon.stop()
    return result


def main_job(registry, ensemble, data, policy, work):
    registry.run(
        "ensembles", "create", ensemble, "--labels", data.folder / "labels.csv", "--classes", data.folder / "classes.txt",
        "--policy", policy)
    shown = registry.json("ensembles", "show", ensemble)
    print(f"\nEnsemble {ensemble}: {shown['epoch']['rows']} rows, {shown['epoch']['groups']} groups, {len(data.classes)} classes")

    verdicts = []
    if shown["sequence"] == 0:
        for model in data.founders:
            submit(registry, ensemble, data, model)
        registry.json("ensembles", "found", ensemble, "--wait")
    founding = next(d for d in decisions(registry, ensemble) if d["kind"] == "founding")
    founding = registry.json("decisions", "show", founding["id"])
    founders = [
        {"model": f"{m['name']}@{m.get('version', 1)}"} for m in data.founders]
    for founder in founders:
        founder |= metrics_of(founding, "model", founder["model"])
    average, founded = metrics_of(founding, "average"), metrics_of(founding, "ensemble")
    print("\nOut-of-fold figures of the founders (every row predicted by models that never saw it)")
    table([(f["model"], f) for f in founders] + [("plain average", average), ("ensemble", founded)])
    print(f"founding: {founding['reason']}")

    # The gate tests on sealed rows: of those only auditors see figures.
    rows = "the open rows, a quarter" if shown["policy"]["admission"] == "gated" else "all rows"
    print(f"\nLater submissions, with figures of {rows}")
    for model in data.newcomers:
        decision = submit(registry, ensemble, data, model)["decision"]
        verdicts.append({key: decision[key] for key in ("model", "verdict", "reason", "retired")})
        print(f"{decision['model']:24}{decision['verdict']:18}{decision['reason']}", flush=True)
        if has_figures(decision):
            after = metrics_of(decision, "ensemble")
            print(f"{'':24}the ensemble: accuracy {after['accuracy']:.4f}, macro-F1 {after['macro_f1']:.4f}, log-loss {after['log_loss']:.4f}")

    final = registry.json("ensembles", "show", ensemble)
    newest = (registry.json("decisions", "show", decision["id"]) for decision in decisions(registry, ensemble))
    last = next(decision for decision in newest if has_figures(decision))
    final_metrics = metrics_of(last, "ensemble")
    singles = [(row["model"], row["metrics"]) for row in last["metrics"] if row["subject"] == "model" and row["model"] in final["members"]]
    print(f"\nThe champion, with figures of {'all rows' if last['id'] == founding['id'] else rows}")
    table(singles + [("ensemble", final_metrics)])

    print("\nPromotions")
    print(registry.run("promotions", ensemble).rstrip())
    manifest = registry.json("manifest", "get", ensemble)
    print(f"\nManifest {manifest['manifest']['sequence']}, sha256 {manifest['sha256']}")
    return {
        "founders": founders, "average": average, "ensemble": founded | {"members": founding["members_after"]},
        "verdicts": verdicts, "final": final_metrics | {"members": final["members"]},
        "manifest": {"sequence": manifest["manifest"]["sequence"], "sha256": manifest["sha256"]},
    }


def decisions(registry, ensemble):
    """All decisions, newest first."""
    items, after = [], []
    while True:
        page = registry.json("decisions", "list", ensemble, *after)
        items += page["items"]
        if not page.get("next"):
            return items
        after = ["--after", page["next"]]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--programs", required=True, help="folder of registryd, registry and registry-node")
    parser.add_argument("--data", type=pathlib.Path, default=DEFAULT_DATA)
    parser.add_argument("--policy", type=pathlib.Path)
    parser.add_argument("--keep", type=pathlib.Path)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--no-fleet", action="store_true")
    options = parser.parse_args()
    # Ended by a signal, it still ends its servers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    work = options.keep or pathlib.Path(tempfile.mkdtemp(prefix="registry-demo-"))
    began = time.monotonic()
    try:
        work.mkdir(parents=True, exist_ok=True)
        work.chmod(0o711)  # Postgres runs as another user when we are root.
        result = run(options, work)
    except DemoError as error:
        sys.exit(f"demo: {error}")
    finally:
        if not options.keep:
            shutil.rmtree(work, ignore_errors=True)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")
    print(f"\nDone in {time.monotonic() - began:.0f} s.")
    if not result["node_agrees"]:
        sys.exit("demo: the node's answers differ from the registry's or from LightGBM's")
    if "fleet" in result and not result["fleet"]["is_good"]:
        sys.exit("demo: the fleet's node gave answers that failed, mixed champions or lacked members")


if __name__ == "__main__":
    sys.modules["main_job"] = sys.modules["__main__"]  # One and the same for those that import it.
    main()

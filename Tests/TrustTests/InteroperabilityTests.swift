import Foundation
import RegistryTesting
import Testing
import Trust

@Suite("With python-tuf")
struct InteroperabilityTests {
    /// The moment that the script writes for.
    static let now = Date(timeIntervalSince1970: 1_893_456_000)

    @Test("our client takes what python-tuf wrote and refuses every attack, each by its name")
    func following() async throws {
        try await ScratchDirectory.with { folder in
            try await PythonPeer.writeStates(to: folder)
            func state(_ name: String) -> StateFolder { StateFolder(url: folder.appendingPathComponent(name)) }
            let root = Array(try Data(contentsOf: folder.appendingPathComponent("first/metadata/1.root.json")))
            let first = try state("first").follow(from: TrustedMetadata(roots: [root]), at: Self.now).result.get()
            let second = try state("second").follow(from: first.trusted, at: Self.now).result.get()
            #expect(second.isNew)
            #expect(second.timestamp.position == ManifestPosition(generation: 1, sequence: 2))
            #expect(second.targets.files.map(\.path) == ["esci-us/combiner.txt", "esci-us/manifest.json"])
            let attacks: [(String, TrustError.Code, MetadataRole)] = [
                ("replayed-timestamp", .rollback, .timestamp), ("rolled-back-snapshot", .rollback, .timestamp),
                ("rolled-back-sequence", .rollback, .timestamp), ("rolled-back-targets", .rollback, .snapshot),
                ("mixed-snapshot", .hashMismatch, .snapshot), ("mixed-versions", .mixAndMatch, .snapshot),
                ("torn-target", .lengthMismatch, .targets), ("corrupt-target", .hashMismatch, .targets),
                ("expired-timestamp", .expired, .timestamp), ("expired-snapshot", .expired, .snapshot),
                ("expired-targets", .expired, .targets), ("expired-root", .expired, .root),
                ("equivocation", .equivocation, .timestamp), ("wrong-ensemble", .wrongEnsemble, .timestamp),
                ("large-timestamp", .tooLarge, .timestamp), ("stranger", .wrongSignature, .timestamp),
                ("root-below-threshold", .wrongSignature, .root), ("skipped-root", .rollback, .root),
                ("revoked-key", .wrongSignature, .timestamp), ("revoked-snapshot-key", .wrongSignature, .snapshot),
            ]
            for (name, code, role) in attacks {
                // What is trusted already is not fetched again, so cannot be wrong.
                let isOfSecond = ["mixed-snapshot", "torn-target", "corrupt-target"].contains(name)
                let trusted = isOfSecond ? first.trusted : second.trusted
                let followed = try state(name).follow(from: trusted, at: Self.now)
                #expect(followed.error?.code == code, "\(name): \(String(describing: followed.error))")
                #expect(followed.error?.role == role, "\(name)")
                #expect(followed.stored.allSatisfy { $0 == [.root] }, "\(name)")
            }
            let rotated = try state("rotated").follow(from: second.trusted, at: Self.now)
            #expect(rotated.discarded == [[.timestamp, .snapshot]])
            let update = try rotated.result.get()
            #expect((update.timestamp.version, update.trusted.roots.count) == (1, 2))
            #expect(update.timestamp.position == ManifestPosition(generation: 2, sequence: 1))
            let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
            #expect(Set(names) == Set(attacks.map(\.0) + ["first", "second", "rotated"]))
        }
    }

    @Test("the checked-in golden files are what python-tuf writes")
    func golden() async throws {
        try await ScratchDirectory.with { folder in
            try await PythonPeer.writeStates(to: folder)
            for (state, name) in Golden.files {
                #expect(
                    try Data(contentsOf: folder.appendingPathComponent("\(state)/metadata/\(name)"))
                        == Data(contentsOf: Golden.folder.appendingPathComponent(name)), "\(name)")
            }
        }
    }

    @Test("what we sign is canonical for securesystemslib, thousands of random values")
    func canonicalForm() async throws {
        for seed in 1...3 {
            let cases = try await PythonPeer.run(PythonPeer.tuf, ["canonical", "\(seed)", "1000"])
            try Golden.checkCanonicalForms(Array(cases))
        }
    }

    @Test("python-tuf's client takes what we write, over a rotation, and refuses the same attacks")
    func publishing() async throws {
        try await ScratchDirectory.with { folder in
            var states: [(name: String, error: String?)] = []
            func write(_ name: String, _ release: Release, error: String? = nil) throws {
                try StateFolder(url: folder.appendingPathComponent(name)).write(release)
                states.append((name, error))
            }
            // python-tuf reads the clock itself.
            let now = Date()
            var repository = try Repository(at: now)
            let first = try repository.release(1)
            try write("first", first)
            repository.files["esci-us/combiner.txt"] = Array("another tree\n".utf8)
            let second = try repository.release(2)
            try write("second", second)
            try write("replayed", first, error: "BadVersionNumberError")
            try write("expired", try repository.release(3, at: now - 3_600), error: "ExpiredMetadataError")
            // The timestamp of the expired release was kept as the newest one known.
            let torn = try repository.release(4)
            try write(
                "torn", torn.with(\.files["esci-us/combiner.txt"], Array("another".utf8)),
                error: "LengthOrHashMismatchError")
            try write(
                "corrupt", torn.with(\.files["esci-us/combiner.txt"], Array("Another tree\n".utf8)),
                error: "LengthOrHashMismatchError")
            try write("whole", torn)
            let revoked = try repository.writer()
            try repository.rotate(.timestamp)
            try repository.rotate(.root)
            try repository.rotate(.targets)
            var stolen = try repository.release(5)
            stolen.timestamp = try revoked.timestamp(
                version: 9, snapshot: MetadataFile(role: .snapshot, version: 5, bytes: stolen.snapshot),
                position: ManifestPosition(generation: 1, sequence: 9), now: now
            ).bytes
            try write("revoked", stolen, error: "UnsignedMetadataError")
            try write("rotated", try repository.release(5))
            let outcomes = try await PythonPeer.follow(
                states.map { folder.appendingPathComponent($0.name) },
                root: folder.appendingPathComponent("first/metadata/1.root.json"),
                client: folder.appendingPathComponent("client"))
            try #require(outcomes.count == states.count)
            for (state, outcome) in zip(states, outcomes) {
                #expect(outcome.error == state.error, "\(state.name): \(outcome.message ?? "")")
            }
            #expect(outcomes[1].files == ["esci-us/combiner.txt", "esci-us/manifest.json"])
            #expect(outcomes[1].position == .init(ensemble: "esci-us", generation: 1, sequence: 2))
            #expect((outcomes.last?.root, outcomes.last?.timestamp) == (4, 5))
        }
    }
}

extension Release {
    /// A copy with something else in a place.
    func with<Value>(_ path: WritableKeyPath<Release, Value>, _ value: Value) -> Release {
        var copy = self
        copy[keyPath: path] = value
        return copy
    }
}

import EnsembleModel
import Foundation
import RegistryTesting
import Testing

/// A live daemon, judged by another client of The Update Framework, python-tuf, and that client's judgement of whoever
/// stands between the two.
@Suite(.serialized) struct UpdateFrameworkTests {
    /// What the other client found, or the error that it refuses with.
    private struct Found: Decodable {
        var error: String?
        var message: String?
        var root: Int?
        var timestamp: Int?
        var generation: Int?
        var sequence: Int?
        var largestDifference: Double?

        enum CodingKeys: String, CodingKey {
            case error, message, root, timestamp, generation, sequence
            case largestDifference = "largest_difference"
        }
    }

    private static let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Python/follow_registry.py")

    /// Has python-tuf follow `pets`; the options are what is done to it.
    private static func follow(
        _ registry: RunningRegistry, as client: String = "client", _ options: String...
    ) async throws -> Found {
        let output = try await PythonPeer.run(
            script,
            [
                registry.url, registry.tokenFile, registry.rootFile,
                registry.folder.appendingPathComponent(client).path, "pets",
            ] + options)
        return try JSONDecoder().decode(Found.self, from: output)
    }

    /// A copy of what the client trusts now, e.g. of its timestamp.
    private static func keep(_ registry: RunningRegistry, _ name: String, as copy: String) throws -> String {
        let kept = registry.folder.appendingPathComponent(copy)
        try FileManager.default.copyItem(at: registry.folder.appendingPathComponent(name), to: kept)
        return kept.path
    }

    @Test func anotherClientFollowsAndRefusesWhatComesBetween() async throws {
        try await RunningRegistry.with { registry in
            try await publish(registry)
            let first = try await Self.follow(registry)
            #expect((first.root, first.generation, first.sequence) == (1, 1, 2))
            #expect(try #require(first.largestDifference) <= 1e-12)
            let old = try Self.keep(registry, "client/timestamp.json", as: "old.json")
            _ = try Self.keep(registry, "client", as: "late")
            for change in ["cut", "changed"] {
                #expect(try await Self.follow(registry, "--combiner", change).error == "LengthOrHashMismatchError")
            }

            let rollback = try await registry.command("rollback", "pets", "--to", "1", "--reason", "latency")
            #expect(rollback.status == 0, "\(rollback.errors)")
            #expect(rollback.output.hasPrefix("Manifest 3 of pets serves the content of manifest 1: fair@1."))
            var second = try await Self.follow(registry)
            while second.sequence == 2 { second = try await Self.follow(registry) }
            #expect(second.sequence == 3, "\(second)")
            #expect(try #require(second.largestDifference) <= 1e-12)
            #expect(try await Self.follow(registry, "--timestamp", old).error == "BadVersionNumberError")
            try await freeze(registry, old)
            try await rotate(registry, after: second)
        }
    }

    /// An ensemble whose second manifest is served.
    private func publish(_ registry: RunningRegistry) async throws {
        let task = try SimulatedTask(rowCount: 400)
        try await registry.create("pets", task)
        let policy = try registry.file("policy.yaml", "founding: first\npreset: small\n")
        #expect(try await registry.command("ensembles", "policy", "set", "pets", "--file", policy).status == 0)
        for (model, skill, seed) in [("fair@1", 0.8, 80), ("good@1", 3.0, 7)] as [(String, Double, UInt64)] {
            let file = try registry.file("\(model).csv", task.csv(task.predictions(skill: skill, seed: seed)))
            let result = try await registry.command("submit", "pets", model, "--predictions", file, "--wait")
            #expect(result.status == 0, "\(result.errors)")
        }
    }

    /// Shows one that has seen nothing since the first manifest that there is nothing newer.
    private func freeze(_ registry: RunningRegistry, _ old: String) async throws {
        let frozen = try await Self.follow(registry, as: "late", "--timestamp", old)
        #expect(frozen.sequence == 2, "until it expires, nothing tells it from a registry at rest: \(frozen)")
        let expired = try await Self.follow(registry, as: "late", "--timestamp", old, "--expiry-of", old)
        #expect(expired.error == "ExpiredMetadataError", "\(expired)")
        let late = try await Self.follow(registry, as: "late", "--expiry-of", old)
        #expect(late.sequence == 3, "what the registry itself serves is newer: \(late)")
    }

    private func rotate(_ registry: RunningRegistry, after second: Found) async throws {
        // The newest that the key signed which is revoked now.
        let revoked = try Self.keep(registry, "client/timestamp.json", as: "revoked.json")
        let accepted = try await Self.follow(registry, "--timestamp", revoked)
        #expect(accepted.sequence == 3, "\(accepted)")
        try await rotateKey(registry)
        // Until the daemon has signed again, what it serves is of a key that the new root does not name.
        var third = try await Self.follow(registry)
        let deadline = ContinuousClock.now + .seconds(60)
        while third.root != 2, ContinuousClock.now < deadline { third = try await Self.follow(registry) }
        #expect(third.root == 2 && third.sequence == 3, "\(third)")
        #expect(try #require(third.timestamp) > #require(second.timestamp))
        for client in ["client", "late"] {
            let stolen = try await Self.follow(registry, as: client, "--timestamp", revoked)
            #expect(stolen.error == "UnsignedMetadataError", "\(client): \(stolen)")
            #expect(try await Self.follow(registry, as: client).root == 2, "\(client)")
        }
    }

    private func rotateKey(_ registry: RunningRegistry) async throws {
        let keys = registry.dataDirectory + "/keys"
        // The root that the client was installed with stays where it is read from.
        let installed = try Data(contentsOf: URL(fileURLWithPath: registry.rootFile))
        let rotated = try await registry.command(
            "keys", "rotate", "timestamp", "--keys", keys, "--passphrase-file", keys + "/passphrase")
        #expect(rotated.status == 0, "\(rotated.errors)")
        let published = try await registry.command("keys", "publish", "--keys", keys)
        #expect(published.output == "Root 2 is the registry's newest.\n", "\(published.errors)")
        #expect(try await registry.command("keys", "publish", "--keys", keys).output.contains("already"))
        #expect(try Data(contentsOf: URL(fileURLWithPath: registry.rootFile)) != installed)
    }
}

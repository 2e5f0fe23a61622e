import EnsembleModel
import Foundation
import RegistryTesting
import Testing

/// A live daemon, judged by another client of The Update Framework: python-tuf.
@Suite(.serialized) struct UpdateFrameworkTests {
    /// What the other client found.
    private struct Found: Decodable {
        var root: Int
        var timestamp: Int
        var generation: Int
        var sequence: Int
        var largestDifference: Double

        enum CodingKeys: String, CodingKey {
            case root, timestamp, generation, sequence
            case largestDifference = "largest_difference"
        }
    }

    private static let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Python/follow_registry.py")

    /// Has python-tuf follow `pets`.
    ///
    /// - Throws: ``PythonPeer/Failure`` when it refuses.
    private static func follow(_ registry: RunningRegistry) async throws -> Found {
        let output = try await PythonPeer.run(
            script,
            [
                registry.url, registry.tokenFile, registry.rootFile,
                registry.folder.appendingPathComponent("client").path, "pets",
            ])
        return try JSONDecoder().decode(Found.self, from: output)
    }

    @Test func anotherClientFollowsRollbacksAndRotations() async throws {
        try await RunningRegistry.with { registry in
            let task = try SimulatedTask(rowCount: 400)
            try await registry.create("pets", task)
            let policy = try registry.file("policy.yaml", "founding: first\npreset: small\n")
            #expect(try await registry.command("ensembles", "policy", "set", "pets", "--file", policy).status == 0)
            for (model, skill, seed) in [("fair@1", 0.8, 80), ("good@1", 3.0, 7)] as [(String, Double, UInt64)] {
                let file = try registry.file("\(model).csv", task.csv(task.predictions(skill: skill, seed: seed)))
                let result = try await registry.command("submit", "pets", model, "--predictions", file, "--wait")
                #expect(result.status == 0, "\(result.errors)")
            }
            let first = try await Self.follow(registry)
            #expect((first.root, first.generation, first.sequence) == (1, 1, 2))
            #expect(first.largestDifference <= 1e-12)

            let rollback = try await registry.command("rollback", "pets", "--to", "1", "--reason", "latency")
            #expect(rollback.status == 0, "\(rollback.errors)")
            #expect(rollback.output.hasPrefix("Manifest 3 of pets serves the content of manifest 1: fair@1."))
            var second = try await Self.follow(registry)
            while second.sequence == 2 { second = try await Self.follow(registry) }
            #expect(second.sequence == 3 && second.largestDifference <= 1e-12)

            try await rotate(registry)
            // Until the daemon has signed again, what it serves is of a key that the new root does not name.
            var third: Found?
            for _ in 0..<30 where third?.root != 2 { third = try? await Self.follow(registry) }
            let found = try #require(third)
            #expect(found.root == 2 && found.sequence == 3)
            #expect(found.timestamp > second.timestamp)
        }
    }

    private func rotate(_ registry: RunningRegistry) async throws {
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

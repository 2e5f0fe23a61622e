import EnsembleModel
import Foundation
import RegistryAPI
import RegistryTesting
import Testing

@testable import ServingNode

/// Metadata that python-tuf wrote around real manifests and combiners, and every attack on it.
@Suite struct InteroperabilityTests {
    /// The moment that python-tuf writes for.
    private static let now = Date(timeIntervalSince1970: 1_893_456_000)

    private struct Attack {
        let state: String
        /// The manifest that is served when it comes, and after it.
        let served: Int
        let outcome: String

        init(_ state: String, after served: Int = 2, _ outcome: String) {
            self.state = state
            self.served = served
            self.outcome = outcome
        }
    }

    private static let attacks = [
        Attack("replayed-timestamp", "failed verify rollback"),
        Attack("expired-timestamp", "failed verify expired"),
        // What is trusted already is not fetched again, so these are shown to a node that has the first manifest only.
        Attack("torn-target", after: 1, "failed download length_mismatch"),
        Attack("corrupt-target", after: 1, "failed download hash_mismatch"),
        Attack("mixed-snapshot", after: 1, "failed verify hash_mismatch"),
        Attack("mixed-versions", "failed verify mix_and_match"),
        Attack("equivocation", "failed verify equivocation"),
        Attack("revoked-key", "failed verify wrong_signature"),
        Attack("revoked-snapshot-key", "failed verify wrong_signature"),
        Attack("stranger", "failed verify wrong_signature"),
        Attack("wrong-ensemble", "failed verify wrong_ensemble"),
        Attack("rolled-back-sequence", "failed verify rollback"),
        Attack("rolled-back-snapshot", "failed verify rollback"),
        Attack("rolled-back-targets", "failed verify rollback"),
        Attack("expired-snapshot", "failed verify expired"),
        Attack("expired-targets", "failed verify expired"),
        Attack("expired-root", "failed verify expired"),
        Attack("root-below-threshold", "failed verify wrong_signature"),
        Attack("skipped-root", "failed verify rollback"),
        Attack("large-timestamp", "failed verify registry_unavailable"),
    ]

    /// Runs `body` with the folder of python-tuf's states and the releases that it signed.
    private static func with(_ body: (URL, [Release]) async throws -> Void) async throws {
        try await ScratchDirectory.with { folder in
            let first = try Release(1)
            let second = try Release(2, .three, after: first)
            let releases = [first, second, try Release(1, .otherTwo, generation: 2, after: second)]
            var folders: [URL] = []
            for (index, release) in releases.enumerated() {
                let files = folder.appendingPathComponent("release-\(index)")
                try FileManager.default.createDirectory(at: files, withIntermediateDirectories: true)
                try Data(release.bytes).write(to: files.appendingPathComponent("manifest.json"))
                try Data(release.combiner.text).write(to: files.appendingPathComponent("combiner.txt"))
                folders.append(files)
            }
            let states = folder.appendingPathComponent("states")
            try await PythonPeer.writeStates(to: states, of: "digits", releases: folders)
            try await body(states, releases)
        }
    }

    @Test func aNodeFollowsWhatPythonSignsAndRefusesEveryAttackOnIt() async throws {
        try await Self.with { states, releases in
            try await FollowerFixture.with(serving: states.appendingPathComponent("first"), at: Self.now) { node in
                #expect(await node.poll() == "activated 1")
                try node.registry.serve(states.appendingPathComponent("second"))
                #expect(await node.poll() == "activated 2")
                #expect(await node.poll() == "unchanged")
                try node.registry.serve(states.appendingPathComponent("rotated"))
                #expect(await node.poll() == "activated 1")
                #expect(node.report.versions.root == 2)
                for node in [node, try node.restarted()] {
                    #expect(await node.poll() == "unchanged")
                    #expect(node.served.current?.document.digest == releases[2].digest)
                }
            }
            for attack in Self.attacks { try await Self.check(attack, states, releases) }
            let names = try FileManager.default.contentsOfDirectory(atPath: states.path)
            #expect(Set(names) == Set(Self.attacks.map(\.state) + ["first", "second", "rotated"]))
        }
    }

    private static func check(_ attack: Attack, _ states: URL, _ releases: [Release]) async throws {
        let label = Comment(rawValue: attack.state)
        try await FollowerFixture.with(serving: states.appendingPathComponent("first"), at: now) { node in
            #expect(await node.poll() == "activated 1", label)
            if attack.served == 2 {
                try node.registry.serve(states.appendingPathComponent("second"))
                #expect(await node.poll() == "activated 2", label)
            }
            try node.registry.serve(states.appendingPathComponent(attack.state))
            for node in [node, try node.restarted()] {
                #expect(await node.poll() == attack.outcome, label)
                #expect(node.served.current?.document.digest == releases[attack.served - 1].digest, label)
            }
            // Once the attack is over, it follows on; only a root cannot be taken back once it has been signed.
            guard attack.state != "expired-root" else { return }
            try node.registry.serve(states.appendingPathComponent(attack.served == 1 ? "second" : "rotated"))
            #expect(await node.poll() == "activated \(attack.served == 1 ? 2 : 1)", label)
        }
    }
}

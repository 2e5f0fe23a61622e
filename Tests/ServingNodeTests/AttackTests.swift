import EnsembleModel
import Foundation
import RegistryAPI
import Testing
import Trust

@testable import ServingNode

/// What a registry that has been taken over, or whoever stands between, may try. The node serves on in every case.
@Suite struct AttackTests {
    /// A node that serves manifest 1, and manifest 2 for the attack.
    private static func attack(
        _ body: @Sendable (FollowerFixture, Release) async throws -> Void
    ) async throws {
        try await FollowerFixture.with { node in
            let first = try Release(1)
            try node.publish(first)
            #expect(await node.poll() == "activated 1")
            try await body(node, Release(2, .three, after: first))
            #expect(node.served.current?.document.digest == first.digest)
            #expect(try node.restarted().served.current?.document.digest == first.digest)
        }
    }

    /// That a node says why it refuses, and follows on once the attack is over.
    private static func over(_ node: FollowerFixture, _ release: Release, _ code: String) async throws {
        #expect(node.report.refusal?.code == code)
        try node.publish(release)
        #expect(await node.poll() == "activated \(release.manifest.sequence)")
        #expect(node.report.refusal == nil)
    }

    @Test func aReplayedTimestamp() async throws {
        try await FollowerFixture.with { node in
            let first = try Release(1)
            let second = try Release(2, .three, after: first)
            try node.publish(first)
            #expect(await node.poll() == "activated 1")
            let old = node.registry.state.files["metadata/timestamp.json"]
            try node.publish(second)
            #expect(await node.poll() == "activated 2")
            node.registry.change { $0.files["metadata/timestamp.json"] = old }
            for restarted in [node, try node.restarted()] {
                #expect(await restarted.poll() == "failed verify rollback")
                #expect(restarted.report.refusal?.stage == .verify)
                #expect(restarted.report.running?.sequence == 2)
            }
            try await Self.over(node, Release(3, .two, after: second), "rollback")
        }
    }

    @Test func aFrozenRegistry() async throws {
        try await Self.attack { node, second in
            #expect(node.report.state == .serving)
            #expect(node.report.figures["metadata_stale"] == 0)
            #expect(node.report.figures["metadata_expires_seconds"] == 600)
            node.clock.advance(seconds: 3600)
            #expect(await node.poll() == "failed verify expired")
            #expect(node.report.state == .stale)
            #expect(node.report.figures["metadata_stale"] == 1)
            #expect(try node.restarted().report.state == .stale)
            // The newer one is as old.
            try node.publish(second)
            #expect(await node.poll() == "failed verify expired")
        }
    }

    @Test func anExpiredRegistryThatComesBack() async throws {
        try await FollowerFixture.with { node in
            try node.publish(Release(1))
            #expect(await node.poll() == "activated 1")
            node.clock.advance(seconds: 30 * 86_400)
            #expect(node.report.state == .stale)
            node.registry.change { $0.repository.now = node.clock.now }
            try node.publish(Release(1))
            #expect(await node.poll() == "unchanged")
            #expect(node.report.state == .serving)
        }
    }

    @Test(arguments: ["combiner.txt", "manifest.json"]) func aTornTarget(file: String) async throws {
        try await Self.attack { node, second in
            try node.publish(second)
            let digest = file == "combiner.txt" ? second.combiner.digest : second.digest
            try node.registry.alter("\(digest).\(file)") { $0.removeLast(7) }
            #expect(await node.poll() == "failed download length_mismatch")
            #expect(node.report.refusal?.stage == .download)
            #expect(node.report.attempted == second.digest)
        }
    }

    @Test(arguments: ["combiner.txt", "manifest.json"]) func aTargetWithOneByteChanged(file: String) async throws {
        try await Self.attack { node, second in
            try node.publish(second)
            let digest = file == "combiner.txt" ? second.combiner.digest : second.digest
            try node.registry.alter("\(digest).\(file)") { $0[$0.count / 2] ^= 1 }
            #expect(await node.poll() == "failed download hash_mismatch")
            let left = try FileManager.default.contentsOfDirectory(atPath: node.folder.path)
            #expect(!left.contains { $0.hasSuffix(DurableFile.unfinishedSuffix) })
            if file == "combiner.txt" { #expect(node.slots.combiner(second.combiner.digest) == nil) }
        }
    }

    @Test func aTargetWithoutEnd() async throws {
        try await Self.attack { node, second in
            try node.publish(second)
            try node.registry.alter("\(second.combiner.digest).combiner.txt") {
                $0 += [UInt8](repeating: 0x20, count: 1 << 20)
            }
            #expect(await node.poll() == "failed download registry_unavailable")
        }
    }

    @Test func aTargetThatIsNotThere() async throws {
        try await Self.attack { node, second in
            try node.publish(second)
            node.registry.change { state in
                state.files = state.files.filter { !$0.key.hasSuffix("\(second.combiner.digest).combiner.txt") }
            }
            #expect(await node.poll() == "failed download nothing_published")
        }
    }

    @Test(arguments: [MetadataRole.timestamp, .snapshot, .targets]) func aRevokedKey(role: MetadataRole) async throws {
        try await Self.attack { node, second in
            let old = node.registry.root
            try node.registry.change { try $0.repository.rotate(role, keepsOld: true) }
            try node.registry.publish(second, signer: old)
            #expect(await node.poll() == "failed verify wrong_signature")
            #expect(node.report.refusal?.code == "wrong_signature")
        }
    }

    @Test(arguments: MetadataRole.allCases) func aRotatedRootIsFollowed(role: MetadataRole) async throws {
        try await FollowerFixture.with { node in
            let first = try Release(1)
            try node.publish(first)
            #expect(await node.poll() == "activated 1")
            try node.registry.change { try $0.repository.rotate(role) }
            try node.publish(Release(2, .three, after: first))
            #expect(await node.poll() == "activated 2")
            #expect(node.report.versions.root == 2)
            let restarted = try node.restarted()
            #expect(restarted.served.current?.manifest.sequence == 2)
            #expect(await restarted.poll() == "unchanged")
            #expect(node.registry.requests("2.root.json") == 2)
        }
    }

    @Test func anotherEnsemblesTimestamp() async throws {
        try await Self.attack { node, second in
            try node.registry.publish(second, for: "faces")
            #expect(await node.poll() == "failed verify wrong_ensemble")
        }
    }

    @Test func aLowerSequenceUnderHigherVersions() async throws {
        try await FollowerFixture.with { node in
            let first = try Release(1)
            let second = try Release(2, .three, after: first)
            try node.publish(second)
            #expect(await node.poll() == "activated 2")
            try node.publish(first)
            #expect(await node.poll() == "failed verify rollback")
            // The timestamp may lie: the manifest speaks for itself.
            try node.registry.publish(first, position: .init(generation: 1, sequence: 3))
            #expect(await node.poll() == "refused verify invalid_manifest")
            #expect(node.report.versions.timestamp == 1)
            #expect(await node.poll() == "unchanged refused")
            // A rotated timestamp key makes the node forget the old timestamp, but not what it serves.
            try node.registry.change { try $0.repository.rotate(.timestamp) }
            let other = try Release(1, .otherTwo)
            try node.publish(other)
            #expect(await node.poll() == "failed verify rollback")
            try await Self.over(node, Release(3, .two, after: second), "rollback")
        }
    }

    @Test func twoManifestsOfOneNumberAndAForkedHistory() async throws {
        try await Self.attack { node, second in
            let other = try Release(1, .three)
            try node.publish(other)
            #expect(await node.poll() == "refused verify equivocation")
            #expect(node.registry.requests("\(other.digest).manifest.json") == 0)
            #expect(node.report.attempted == other.digest)
            #expect(await node.poll() == "unchanged refused")
            #expect(node.report.versions.timestamp == 1)
            try node.publish(Release(2, .three, after: other))
            #expect(await node.poll() == "refused verify equivocation")
        }
    }

    @Test func equivocationAboutAManifestThatWasLost() async throws {
        try await FollowerFixture.with { node in
            let first = try Release(1)
            try node.publish(first)
            #expect(await node.poll() == "activated 1")
            try node.publish(Release(2, .three, after: first))
            #expect(await node.poll() == "activated 2")
            try Data("torn".utf8).write(to: node.folder.appendingPathComponent("current"))
            let restarted = try node.restarted()
            try node.publish(Release(2, .otherTwo, after: first))
            #expect(await restarted.poll() == "refused verify equivocation")
            #expect(restarted.served.current?.manifest.sequence == 1)
        }
    }

    @Test func aManifestBesideItsCombiner() async throws {
        try await Self.attack { node, second in
            let other = try Release(2, .otherTwo, after: Release(1))
            try node.registry.publish(other, bytes: second.bytes)
            #expect(await node.poll() == "refused load invalid_manifest")
        }
    }

    @Test func anEverLongerChainOfRoots() async throws {
        try await FollowerFixture.with { node in
            try node.registry.change { state in
                for _ in 0..<260 { try state.repository.rotate(.root) }
            }
            try node.publish(Release(1))
            #expect(await node.poll() == "failed verify endless_roots")
            #expect(await node.poll() == "activated 1")
            #expect(node.report.versions.root == 261)
        }
    }
}

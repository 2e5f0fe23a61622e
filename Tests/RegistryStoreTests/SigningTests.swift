import EnsembleModel
import Foundation
import Postgres
import Testing

@testable import RegistryStore

@Suite struct SigningTests {
    private static let ages = RenewalAges(targetsAndSnapshot: 1000, timestamp: 60)
    private static func later(_ seconds: TimeInterval) -> Date { StoreFixture.time.addingTimeInterval(seconds) }

    /// The newest timestamp, as text.
    private func timestamp(_ store: RegistryStore) async throws -> String? {
        try await store.metadataHeads(of: [StoreFixture.ensemble]).first.map {
            String(decoding: $0.timestamp.bytes, as: UTF8.self)
        }
    }

    private func metadata(_ store: RegistryStore, _ role: RegistryStore.SignedRole, _ version: Int) async throws
        -> String?
    {
        try await store.signedMetadata(ensemble: StoreFixture.ensemble, role: role, version: version).map {
            String(decoding: $0, as: UTF8.self)
        }
    }

    @Test func aPublicationSignsItsFiles() async throws {
        try await StoreFixture.withEnsemble { fixture in
            let store = fixture.store
            #expect(try await store.metadataHeads(of: [StoreFixture.ensemble, "other"]).isEmpty)
            try await fixture.found()
            let manifest = try #require(try await store.manifest(ensemble: StoreFixture.ensemble))
            let combiner = try JSONDecoder().decode(Manifest.self, from: Data(manifest.bytes)).combiner.sha256
            #expect(try await metadata(store, .targets, 1) == "targets 1: \(manifest.sha256) \(combiner)")
            #expect(try await metadata(store, .snapshot, 1) == "snapshot 1: targets 1")
            #expect(try await timestamp(store) == "timestamp 1: snapshot 1, manifest 1")
            #expect(
                try await store.manifest(ensemble: StoreFixture.ensemble, sha256: manifest.sha256) == manifest.bytes)
        }
    }

    @Test func withoutKeysOrWithOldOnesNothingIsPublished() async throws {
        try await StoreFixture.withEnsemble { fixture in
            try await fixture.submit("m1@1")
            _ = try await fixture.store.requestFounding(ensemble: StoreFixture.ensemble, actor: "ann")
            let claim = try await fixture.claim()
            try await fixture.complete(claim)
            let unsigned = fixture.signing(with: nil)
            #expect(
                await storeError {
                    _ = try await unsigned.publish(evaluation: claim.evaluation, now: StoreFixture.time)
                } == .signingKeysMissing)
            try await fixture.store.addRoot([2], version: 2, actor: "ann", now: StoreFixture.time)
            #expect(
                await storeError {
                    _ = try await fixture.store.publish(evaluation: claim.evaluation, now: StoreFixture.time)
                } == .signingKeysOutdated)
            #expect(try await fixture.store.manifest(ensemble: StoreFixture.ensemble) == nil)
            #expect(try await fixture.store.decisions(ensemble: StoreFixture.ensemble).isEmpty)
            let current = fixture.signing(with: PlainSigner(rootVersion: 2))
            #expect(
                try await current.publish(evaluation: claim.evaluation, now: StoreFixture.time)
                    == .published(sequence: 1))
        }
    }

    @Test func eachRoleIsRenewedWhenItIsDue() async throws {
        try await StoreFixture.withEnsemble { fixture in
            let store = fixture.store
            try await fixture.found()
            #expect(try await store.ensemblesToSign(Self.ages, now: Self.later(60)).isEmpty)
            #expect(try await !store.renewMetadata(ensemble: StoreFixture.ensemble, Self.ages, now: Self.later(60)))
            #expect(try await store.ensemblesToSign(Self.ages, now: Self.later(61)) == [StoreFixture.ensemble])
            #expect(try await store.renewMetadata(ensemble: StoreFixture.ensemble, Self.ages, now: Self.later(61)))
            #expect(try await timestamp(store) == "timestamp 2: snapshot 1, manifest 1")
            #expect(try await !store.renewMetadata(ensemble: StoreFixture.ensemble, Self.ages, now: Self.later(61)))
            #expect(try await store.renewMetadata(ensemble: StoreFixture.ensemble, Self.ages, now: Self.later(1001)))
            #expect(try await timestamp(store) == "timestamp 3: snapshot 2, manifest 1")
            #expect(try await metadata(store, .snapshot, 2) == "snapshot 2: targets 2")
        }
    }

    @Test func aNewRootHasEverythingSignedAgain() async throws {
        try await StoreFixture.withEnsemble { fixture in
            try await fixture.found()
            #expect(try await fixture.store.root()?.version == 1)
            #expect(try await fixture.store.addRoot([2], version: 2, actor: "ann", now: StoreFixture.time))
            #expect(try await !fixture.store.addRoot([2], version: 2, actor: "ann", now: StoreFixture.time))
            for version in [1, 2, 4] {
                #expect(
                    await storeError {
                        try await fixture.store.addRoot([9], version: version, actor: "ann", now: StoreFixture.time)
                    } == .conflict)
            }
            let store = fixture.signing(with: PlainSigner(rootVersion: 2))
            #expect(try await store.ensemblesToSign(Self.ages, now: StoreFixture.time) == [StoreFixture.ensemble])
            #expect(try await store.renewMetadata(ensemble: StoreFixture.ensemble, Self.ages, now: StoreFixture.time))
            #expect(try await timestamp(store) == "timestamp 2: snapshot 2, manifest 1")
            #expect(try await store.ensemblesToSign(Self.ages, now: StoreFixture.time).isEmpty)
        }
    }

    @Test func aRollbackIsANewManifestOfTheOldContent() async throws {
        try await StoreFixture.withEnsemble { fixture in
            let store = fixture.store
            try await fixture.found()
            let first = try #require(try await store.manifest(ensemble: StoreFixture.ensemble))
            try await fixture.submit("m3@1", seed: 7)
            #expect(try await fixture.decideNext() == .published(sequence: 2))
            // Under way against the champion that leaves.
            try await fixture.submit("m4@1", seed: 8)
            let claim = try await fixture.claim()
            try await fixture.complete(claim)

            let promotion = try await store.rollBack(
                ensemble: StoreFixture.ensemble, to: 1, reason: "latency", actor: "ann", now: StoreFixture.time)
            #expect(promotion.sequence == 3)
            #expect(promotion.kind == .rollback)
            #expect(promotion.decision == nil)
            #expect(promotion.retired.map(\.description) == ["m3@1"])
            let newest = try #require(try await store.manifest(ensemble: StoreFixture.ensemble))
            let (old, new) = try (
                JSONDecoder().decode(Manifest.self, from: Data(first.bytes)),
                JSONDecoder().decode(Manifest.self, from: Data(newest.bytes))
            )
            #expect(new.contentID == old.contentID)
            #expect(new.reason == .rollback)
            #expect(try await timestamp(store) == "timestamp 3: snapshot 3, manifest 3")
            let record = try await store.ensemble(StoreFixture.ensemble)
            #expect(record.members == promotion.members)
            #expect(try await !fixture.ledger().contains("m3@1"))
            guard case .requeued = try await store.publish(evaluation: claim.evaluation, now: StoreFixture.time) else {
                Issue.record("an evaluation against the champion that left was decided")
                return
            }
            #expect(try await store.verifyAudit() == nil)
        }
    }

    @Test func aRollbackNeedsAnEarlierManifestOfOtherContent() async throws {
        try await StoreFixture.withEnsemble { fixture in
            try await fixture.found()
            try await fixture.submit("m3@1", seed: 7)
            _ = try await fixture.decideNext()
            func code(to sequence: Int) async -> StoreError.Code? {
                await storeError {
                    _ = try await fixture.store.rollBack(
                        ensemble: StoreFixture.ensemble, to: sequence, reason: "", actor: "ann", now: StoreFixture.time)
                }
            }
            for sequence in [0, 2, 3] { #expect(await code(to: sequence) == .notFound) }
            _ = try await fixture.store.rollBack(
                ensemble: StoreFixture.ensemble, to: 1, reason: "", actor: "ann", now: StoreFixture.time)
            #expect(await code(to: 1) == .conflict)
        }
    }

    @Test func metadataNeverGoesBack() async throws {
        try await StoreFixture.withEnsemble { fixture in
            try await fixture.found()
            for statement in [
                "UPDATE metadata_head SET timestamp_version = timestamp_version",
                "UPDATE metadata_head SET timestamp_version = 9, sequence = sequence - 1",
                "UPDATE metadata_head SET timestamp_version = 9, targets_version = 0",
                "UPDATE metadata_head SET timestamp_version = 9, generation = 0",
                "DELETE FROM metadata_head", "TRUNCATE metadata_head", "UPDATE signed_metadata SET version = 9",
                "DELETE FROM root_metadata",
            ] {
                await #expect(throws: PostgresError.self, "\(statement)") {
                    try await fixture.client.execute(SQL(unsafe: statement))
                }
            }
        }
    }

    /// A backup is restored while nodes have seen what came after it: the recovery goes above all of it.
    @Test func aRecoveryGoesAboveWhatNodesHaveSeen() async throws {
        try await StoreFixture.withEnsemble { fixture in
            let store = fixture.store
            try await fixture.found()
            try await store.report(
                [
                    .init(
                        node: "node-1",
                        report: NodeReport(
                            ensemble: StoreFixture.ensemble, program: "1.0", state: .serving,
                            running: .init(generation: 1, sequence: 5, sha256: .of([])),
                            versions: .init(root: 1, targets: 7, snapshot: 8, timestamp: 900)))
                ], now: StoreFixture.time)
            let recoveries = try await store.recover(
                reason: "restored", actor: "ann", margin: 10, now: Self.later(100))
            let recovery = try #require(recoveries.first)
            #expect(recoveries.count == 1)
            #expect(recovery.champion == ChampionNumber(ensemble: StoreFixture.ensemble, generation: 2, sequence: 6))
            #expect(recovery.versions == MetadataVersions(targets: 18, snapshot: 19, timestamp: 1011))
            #expect(try await timestamp(store) == "timestamp 1011: snapshot 19, manifest 6")
            let promotion = try #require(try await store.promotions(ensemble: StoreFixture.ensemble).first)
            #expect(promotion.kind == .recovery && promotion.sequence == 6 && promotion.joined.isEmpty)
            // The registry goes on from there.
            try await fixture.submit("m3@1", seed: 7)
            #expect(try await fixture.decideNext() == .published(sequence: 7))
            #expect(try await timestamp(store) == "timestamp 1012: snapshot 20, manifest 7")
        }
    }
}

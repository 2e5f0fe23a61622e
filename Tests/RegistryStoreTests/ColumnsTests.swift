import EnsembleModel
import Foundation
import Postgres
import RegistryTesting
import Testing

@testable import RegistryStore

@Suite struct ColumnsTests {
    private static func manifest(_ fixture: StoreFixture) async throws -> Manifest {
        let published = try #require(try await fixture.store.manifest(ensemble: StoreFixture.ensemble))
        return try JSONDecoder().decode(Manifest.self, from: Data(published.bytes))
    }

    /// Makes a changed policy the ensemble's next version.
    private static func change(_ fixture: StoreFixture, _ body: (inout Policy) -> Void) async throws {
        var policy = Policy()
        body(&policy)
        try await fixture.client.execute(
            """
            INSERT INTO policy_version (ensemble_id, version, policy, created_by)
            SELECT ensemble_id, policy_version + 1, \(JSON(encoding: policy)), 'ann' FROM ensemble_head
            """)
        try await fixture.client.execute("UPDATE ensemble_head SET policy_version = policy_version + 1")
    }

    @Test func aManifestSaysWhatItsCombinerWasTrainedOn() async throws {
        try await StoreFixture.withEnsemble { fixture in
            try await fixture.found()
            #expect(try await Self.manifest(fixture).columns == .probability)

            try await Self.change(fixture) { $0.columns = .probabilityAndGroup }
            // The champion's combiner stays what it is until one is trained under the new policy.
            #expect(try await Self.manifest(fixture).columns == .probability)
            try await fixture.submit("x@1", seed: 7)
            #expect(try await fixture.decideNext(.rejectNoGain) == .decidedWithoutPromotion)
            #expect(try await Self.manifest(fixture).columns == .probability)

            try await fixture.submit("y@1", seed: 8)
            let claim = try await fixture.claim()
            #expect(claim.policy.columns == .probabilityAndGroup)
            var outcome = try claim.outcome(.admit)
            let golden = GoldenRows(inputs: [[0.5], [0.25]], groups: [0, 0], rawScores: [[0.25], [-0.5]])
            let combiner = Combiner(text: Array("trees of groups".utf8), treeCount: 3, golden: golden)
            outcome.combiner = combiner
            outcome.evidence.combiner = combiner.digest
            try await fixture.store.complete(
                claim, outcome: outcome, worker: "worker", programVersion: "1.0", seconds: 1)
            #expect(
                try await fixture.store.publish(evaluation: claim.evaluation, now: StoreFixture.time)
                    == .published(sequence: 2))
            let manifest = try await Self.manifest(fixture)
            #expect(manifest.columns == .probabilityAndGroup && manifest.golden == golden)

            try await Self.change(fixture) { $0.columns = .probability }
            try await fixture.submit("z@1", seed: 9)
            #expect(try await fixture.decideNext(.admit) == .published(sequence: 3))
            #expect(try await Self.manifest(fixture).columns == .probability)
        }
    }

    @Test func anEvaluationOfTheOldColumnsIsNotPublishedUnderTheNew() async throws {
        try await StoreFixture.withEnsemble { fixture in
            try await fixture.found()
            try await fixture.submit("x@1", seed: 7)
            let claim = try await fixture.claim()
            try await fixture.complete(claim, .admit)
            try await Self.change(fixture) { $0.columns = .probabilityAndGroup }
            guard
                case .requeued = try await fixture.store.publish(
                    evaluation: claim.evaluation, now: StoreFixture.time)
            else {
                Issue.record("an evaluation against the old policy was decided")
                return
            }
            #expect(try await Self.manifest(fixture).sequence == 1)
        }
    }
}

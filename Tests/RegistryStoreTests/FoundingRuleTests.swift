import EnsembleModel
import Postgres
import Testing

@testable import RegistryStore

/// `founding: first`: the first submission that is good enough founds the ensemble.
@Suite struct FoundingRuleTests {
    private static let first = Policy(founding: .first)

    private static func set(_ policy: Policy, _ fixture: StoreFixture) async throws {
        _ = try await fixture.store.setPolicy(
            ensemble: StoreFixture.ensemble, policy: policy, reason: "", actor: "ann")
    }

    @Test func theFirstThatIsAdmittedFounds() async throws {
        try await StoreFixture.withEnsemble(policy: Self.first) { fixture in
            let store = fixture.store
            for (index, model) in ["a@1", "b@1", "c@1"].enumerated() {
                #expect(try await fixture.submit(model, seed: index).record.state == .queued)
            }
            #expect(
                await storeError { _ = try await store.requestFounding(ensemble: "letters", actor: "ann") }
                    == .conflict)
            #expect(try await fixture.decideNext(.rejectNoGain) == .decidedWithoutPromotion)
            let claim = try await fixture.claim()
            #expect(claim.champion == [] && claim.challenger?.name == "b" && claim.sequence == 0)
            try await fixture.complete(claim)
            #expect(
                try await store.publish(evaluation: claim.evaluation, now: StoreFixture.time) == .published(sequence: 1)
            )
            let record = try await store.ensemble("letters")
            #expect(record.members.map(\.description) == ["b@1"] && record.epoch.preset == .small)
            #expect(try await store.promotions(ensemble: "letters").map(\.kind) == [.founding])
            // The others are evaluated once each.
            #expect(try await fixture.number("SELECT count(*) FROM evaluation") == 3)
            #expect(try await fixture.claim().champion.map(\.description) == ["b@1"])
        }
    }

    @Test func changingTheRuleQueuesWhatWaits() async throws {
        try await StoreFixture.withEnsemble { fixture in
            let store = fixture.store
            for (index, model) in ["a@1", "b@1"].enumerated() {
                #expect(try await fixture.submit(model, seed: index).record.state == .candidate)
            }
            let founding = try await store.requestFounding(ensemble: "letters", actor: "ann")
            #expect(await storeError { try await Self.set(Self.first, fixture) } == .conflict)
            let claim = try await fixture.claim()
            try await store.fail(claim, reason: "broken", retryable: false)
            try await Self.set(Self.first, fixture)
            #expect(try await store.submissions(ensemble: "letters").map(\.state) == [.queued, .queued])
            #expect(
                await storeError { _ = try await store.retry(evaluation: founding.id, actor: "ann") } == .conflict)

            #expect(await storeError { try await Self.set(Policy(), fixture) } == .conflict)
            let admission = try await fixture.claim()
            #expect(admission.challenger?.name == "a")
            try await store.fail(admission, reason: "broken", retryable: false)
            #expect(try await fixture.decideNext(.rejectNoGain) == .decidedWithoutPromotion)
            try await Self.set(Policy(), fixture)
            #expect(
                await storeError { _ = try await store.retry(evaluation: admission.evaluation, actor: "ann") }
                    == .conflict)
            // All that were submitted are candidates of a round.
            _ = try await store.requestFounding(ensemble: "letters", actor: "ann")
            #expect(try await fixture.claim().candidates.map(\.model.name) == ["a", "b"])
        }
    }
}

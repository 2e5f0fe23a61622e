import EnsembleModel
import Postgres
import Testing

@testable import RegistryStore

@Suite struct UpgradeTests {
    /// A database of the first release, with a decision and a submission, goes on as it was.
    @Test func whatWasDecidedBeforeThereWereLedgersStays() async throws {
        try await StoreFixture.with(migrated: false) { fixture in
            let store = fixture.store
            _ = try await store.migrate(Array(Migration.all.prefix(1)))
            for statement in Self.firstRelease { try await fixture.client.execute(statement) }
            #expect(try await store.migrate() == Migration.all.dropFirst().map(\.name))
            try await fixture.addRoot()

            let record = try await store.ensemble("old")
            #expect(record.policy.admission == .shapleyTopK && record.policy.budget.members == 3)
            #expect((record.ledger.tests, record.ledger.evaluations, record.ledger.alphaSpent) == (0, 0, 0))
            #expect(try await store.policies(ensemble: "old").map(\.reason) == [""])
            #expect(try await store.decisions(ensemble: "old").map(\.verdict) == [.rejectNoGain])
            try await fixture.submit("a@1", to: "old", seed: 3)
            _ = try await store.requestFounding(ensemble: "old", actor: "ann")
            #expect(try await fixture.decideNext(.admit) == .published(sequence: 1))
            #expect(try await fixture.number("SELECT revision FROM ledger") == 1)
        }
    }

    /// The first release's evidence cannot be read by this one: its replay fails, and holds up no other.
    @Test func whatCannotBeReplayedHoldsUpNoOther() async throws {
        try await StoreFixture.with(migrated: false) { fixture in
            let store = fixture.store
            _ = try await store.migrate(Array(Migration.all.prefix(1)))
            for statement in Self.firstRelease { try await fixture.client.execute(statement) }
            _ = try await store.migrate()
            try await fixture.addRoot()
            let old = try await store.requestReplay(decision: 1, actor: "ann")
            try await fixture.create(StoreFixture.ensemble)
            try await fixture.found()
            let new = try await store.requestReplay(decision: 2, actor: "ann")

            #expect(try await store.claim(worker: "worker", lease: .seconds(60)) == nil)
            let failed = try await store.evaluation(old.id)
            #expect(failed.state == .failed)
            #expect(failed.failure?.contains("layout of another version") == true, "\(failed.failure ?? "")")
            #expect(try await fixture.claim().evaluation == new.id)
        }
    }

    private static let firstRelease: [SQL] = [
        "INSERT INTO ensemble (name, classes, created_by) VALUES ('old', '{a,b}', 'ann')",
        """
        INSERT INTO policy_version (ensemble_id, version, policy, created_by)
        VALUES (1, 1, '{"admission": "shapley-top-k", "budget": {"members": 3}}', 'ann')
        """,
        """
        INSERT INTO validation_set (ensemble_id, sha256, row_count, group_count, slice_count)
        VALUES (1, repeat('a', 64), 4, 2, 1)
        """,
        "INSERT INTO epoch (ensemble_id, number, validation_set_id, salt) VALUES (1, 1, 1, 'salt')",
        "INSERT INTO ensemble_head (ensemble_id, epoch, policy_version) VALUES (1, 1, 1)",
        """
        INSERT INTO evaluation (ensemble_id, kind, requested_by, state, fence_token, worker, against_sequence,
                                against_epoch, against_policy_version, started_at, finished_at)
        VALUES (1, 'founding', 'ann', 'decided', 1, 'w', 0, 1, 1, now(), now())
        """,
        """
        INSERT INTO evaluation_outcome (evaluation_id, verdict, reason, preset, members_before, members_after, retired,
                                        judged, metrics, evidence, evidence_sha256, worker, program_version, seconds)
        VALUES (1, 'REJECT_NO_GAIN', 'r', 'small', '{}', '{}', '{}', '{}', '[]', '{}', repeat('b', 64), 'w', '1', 1)
        """,
        "INSERT INTO decision (ensemble_id, evaluation_id, policy_version, decided_at) VALUES (1, 1, 1, now())",
    ]
}

import EnsembleModel
import Postgres
import Testing

@testable import RegistryStore

/// A hold decides nothing on the merits: the submission may be evaluated again.
@Suite struct HoldTests {
    @Test(arguments: Verdict.allCases.filter(\.isHold))
    func whatWasHeldIsEvaluatedAgain(_ hold: Verdict) async throws {
        try await StoreFixture.withEnsemble { fixture in
            let store = fixture.store
            try await fixture.found()
            let first = try await fixture.submit("x@1", seed: 7, key: "key").record
            try await fixture.decideNext(hold)
            let held = try await store.submission(first.id)
            #expect(held.state == .decided && held.holdCount == 1)
            #expect(try await store.decision(#require(held.evaluation?.decision)).verdict == hold)

            let again = try await fixture.submit("x@1", seed: 7, key: "key")
            #expect(again.accepted && again.record.id == first.id && again.record.state == .queued)
            #expect(again.record.evaluation?.id != first.evaluation?.id && again.record.evaluation?.decision == nil)
            // Once is enough.
            #expect(try await !fixture.submit("x@1", seed: 7).accepted)
            try await fixture.decideNext(.rejectNoGain)

            let counts = try await fixture.rowCounts()
            let last = try await fixture.submit("x@1", seed: 7, key: "key")
            #expect(!last.accepted && last.record.state == .decided && last.record.holdCount == 1)
            #expect(try await store.decision(#require(last.record.evaluation?.decision)).verdict == .rejectNoGain)
            #expect(try await fixture.rowCounts() == counts)
            #expect(try await store.decisions(ensemble: "letters").map(\.verdict) == [.rejectNoGain, hold, .admit])
            #expect(try await store.verifyAudit() == nil)
        }
    }

    @Test(arguments: Verdict.allCases.filter { !$0.isHold })
    func anyOtherVerdictStands(_ verdict: Verdict) async throws {
        try await StoreFixture.withEnsemble { fixture in
            try await fixture.found()
            try await fixture.submit("x@1", seed: 7)
            try await fixture.decideNext(verdict, retiring: verdict == .admitRetire ? ["m1@1"] : [])
            let counts = try await fixture.rowCounts()
            for actor in ["sam", "eve"] {
                let again = try await fixture.submit("x@1", seed: 7, actor: actor)
                #expect(!again.accepted && again.record.state == .decided && again.record.holdCount == 0)
            }
            #expect(try await fixture.rowCounts() == counts)
        }
    }

    @Test func itIsOnTheAccountOfWhoSendsItAgain() async throws {
        try await StoreFixture.withEnsemble { fixture in
            try await fixture.found()
            try await fixture.submit("x@1", seed: 7, actor: "sam")
            try await fixture.decideNext(.holdQuota)
            try await fixture.submit("x@1", seed: 7, actor: "eve")
            #expect(try await fixture.claim().submitter == "eve")
        }
    }

    @Test func anEvaluationAfterAHoldThatFailedCanBeRetried() async throws {
        try await StoreFixture.withEnsemble { fixture in
            let store = fixture.store
            try await fixture.found()
            try await fixture.submit("x@1", seed: 7)
            try await fixture.decideNext(.holdCooldown)
            try await fixture.submit("x@1", seed: 7)
            let claim = try await fixture.claim()
            try await store.fail(claim, reason: "broken", retryable: false)
            let again = try await fixture.submit("x@1", seed: 7)
            #expect(!again.accepted && again.record.state == .failed)
            _ = try await store.retry(evaluation: claim.evaluation, actor: "sam")
            try await fixture.decideNext(.admit)
            #expect(try await store.ensemble("letters").sequence == 2)
        }
    }

    /// However many send it while it is decided, there is one evaluation at a time and one decision on the merits.
    @Test func sentAtOnceItIsQueuedOnce() async throws {
        try await StoreFixture.withEnsemble { fixture in
            try await fixture.found()
            let id = try await fixture.submit("x@1", seed: 7).record.id
            for round in 1...4 {
                let verdict: Verdict = round < 4 ? .holdCooldown : .rejectNoGain
                try await withThrowingTaskGroup(of: Bool.self) { group in
                    for sender in 0..<6 {
                        group.addTask { try await fixture.submit("x@1", seed: 7, actor: "s\(sender)").accepted }
                    }
                    group.addTask {
                        try await fixture.decideNext(verdict)
                        return false
                    }
                    let accepted = try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
                    #expect(accepted <= 1)
                }
                if round < 4 { try await fixture.submit("x@1", seed: 7) }
            }
            let open = try await fixture.number("SELECT count(*) FROM evaluation WHERE state <> 'decided'")
            #expect(open == 0)
            #expect(try await fixture.number("SELECT count(*) FROM decision WHERE submission_id = \(id)") == 4)
            #expect(try await fixture.store.submission(id).holdCount == 3)
        }
    }

    @Test func theDatabaseItselfAllowsOneDecisionOnTheMerits() async throws {
        try await StoreFixture.withEnsemble { fixture in
            try await fixture.found()
            try await fixture.submit("x@1", seed: 7)
            try await fixture.decideNext(.rejectNoGain)
            let submission = try await fixture.number("SELECT max(id) FROM submission")
            func decide(_ verdict: String, isHold: Bool) async throws {
                try await fixture.client.execute(
                    """
                    WITH v AS (
                        INSERT INTO evaluation (ensemble_id, kind, submission_id, requested_by)
                        SELECT ensemble_id, 'admission', id, 'sam' FROM submission WHERE id = \(submission)
                        RETURNING id, ensemble_id
                    ), o AS (
                        INSERT INTO evaluation_outcome (evaluation_id, verdict, reason, preset, members_before,
                            members_after, retired, judged, metrics, evidence, evidence_sha256, worker,
                            program_version, seconds)
                        SELECT v.id, \(verdict), reason, preset, members_before, members_after, retired, judged,
                               metrics, evidence, evidence_sha256, worker, program_version, seconds
                        FROM evaluation_outcome, v ORDER BY evaluation_id DESC LIMIT 1
                        RETURNING evaluation_id
                    )
                    INSERT INTO decision (ensemble_id, evaluation_id, submission_id, policy_version, is_hold,
                                          decided_at)
                    SELECT v.ensemble_id, v.id, \(submission), 1, \(isHold), now() FROM v, o
                    """)
            }
            for (verdict, isHold) in [("REJECT_NO_GAIN", false), ("REJECT_NO_GAIN", true), ("HOLD_QUOTA", false)] {
                await #expect(throws: PostgresError.self) { try await decide(verdict, isHold: isHold) }
            }
            try await decide("HOLD_QUOTA", isHold: true)
        }
    }
}

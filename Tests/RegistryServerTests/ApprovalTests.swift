import EnsembleModel
import Foundation
import HTTPTypes
import HummingbirdTesting
import RegistryAPI
import RegistryTesting
import Testing

/// Decisions that wait for approval, over HTTP and by real evaluations.
@Suite struct ApprovalTests {
    @Test func aPendingPromotionIsReviewedAndReplayed() async throws {
        try await RegistryHarness.with { registry in
            let task = try SimulatedTask(rowCount: 400)
            let policy = #"{"founding":"first","preset":"small","approval":"one"}"#
            _ = try await registry.create("pets", task, policy: policy)
            let sam = try await registry.token("sam", [.admin])
            func submit(_ model: String, _ skill: Double, _ seed: UInt64) async throws -> DecisionRecord {
                let submission: SubmissionRecord = try await registry.submit(
                    model, to: "pets", task, task.predictions(skill: skill, seed: seed), token: sam
                ).decoded()
                try await registry.settle()
                return try await registry.decision(of: submission)
            }
            let founding = try await submit("fair@1", 0.8, 80)
            #expect(founding.approval?.state == .pending && founding.verdict == .admit)
            let none = try await registry.send(.get, APIPath.manifest("pets"))
            #expect(none.problem == .notFounded)
            let own = try await registry.send(.post, APIPath.approve(founding.id), token: sam)
            #expect(own.problem == .ownSubmission && own.status == .forbidden)
            let published: DecisionRecord = try await registry.send(.post, APIPath.approve(founding.id)).decoded()
            #expect(published.sequence == 1 && published.approval?.approvers == ["tester"])

            let admission = try await submit("good@1", 3, 7)
            #expect(admission.approval?.state == .pending)
            let evidence: Evidence = try await registry.send(.get, APIPath.evidence(admission.id)).decoded()
            #expect(evidence.policy.approval == .one && evidence.ledgerAfter.tests == evidence.ledgerBefore.tests + 1)
            #expect(evidence.ledgerAfter.tenures == evidence.ledgerBefore.tenures)
            let shown: EnsembleRecord = try await registry.send(.get, APIPath.ensemble("pets")).decoded()
            #expect(shown.ledger == LedgerRecord(evidence.ledgerAfter, gate: shown.policy.gate))
            #expect(shown.sequence == 1)
            // What waits is computed again bit for bit, and so it is after its approval.
            try await Self.replay(admission.id, registry)
            for (body, problem) in [
                ("", ProblemCode.badRequest), (#"{"reason":"  "}"#, .badRequest), ("[", .badRequest),
                (#"{"reason":"\#(String(repeating: "x", count: 2001))"}"#, .badRequest),
            ] {
                let answer = try await registry.send(.post, APIPath.reject(admission.id), body: body)
                #expect(answer.problem == problem, "\(body.prefix(20))")
            }
            let approved: DecisionRecord = try await registry.send(
                .post, APIPath.approve(admission.id), body: #"{"reason":"measured online"}"#
            ).decoded()
            #expect(approved.sequence == 2 && approved.approval?.reviews.first?.reason == "measured online")
            try await Self.replay(admission.id, registry)
            let late = try await registry.send(.post, APIPath.reject(admission.id), body: #"{"reason":"no"}"#)
            #expect(late.problem == .conflict)
            let listed: Page<DecisionRecord> = try await registry.send(.get, APIPath.decisions("pets")).decoded()
            #expect(listed.items.map(\.approval?.state) == [.approved, .approved])
        }
    }

    private static func replay(_ decision: Int64, _ registry: RegistryHarness) async throws {
        let queued: EvaluationRecord = try await registry.send(.post, APIPath.replay(decision: decision)).decoded()
        try await registry.settle()
        let replay: ReplayRecord = try await registry.send(.get, APIPath.replay(evaluation: queued.id)).decoded()
        #expect(replay.identical, "\(replay.differences)")
    }
}

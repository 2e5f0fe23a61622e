import EnsembleModel
import Foundation
import RegistryAPI
import Testing

@testable import RegistryCommands

/// What the command line says of decisions that need approval, and how it ends.
struct ApprovalTextTests {
    private static func decision(
        _ state: ApprovalRecord.State, needed: Int = 1, _ reviews: (String, ReviewRecord.Answer)...
    ) throws -> DecisionRecord {
        var decision = try Fixture.report(.admitRetire, "made up") { $0.membersAfter = try Fixture.models("b", "new") }
            .decision
        decision.approval = ApprovalRecord(
            state: state, needed: needed,
            reviews: reviews.map {
                ReviewRecord(reviewer: $0.0, answer: $0.1, reason: "a reason", at: Fixture.date)
            }, supersededBecause: state == .superseded ? "epoch 2 has begun" : nil)
        return decision
    }

    private static func report(_ decision: DecisionRecord) throws -> DecisionReport {
        var report = try Fixture.report(.admitRetire, "made up") { $0.membersAfter = try Fixture.models("b", "new") }
        report.decision = decision
        return report
    }

    @Test func everyStateIsSaidInFull() throws {
        let examples = [
            (
                try Self.decision(.pending, needed: 2, ("ann", .approve)), "ADMIT_RETIRE, pending 1 of 2",
                "new@1's joining of e in place of c@1 waits for approval: nothing is published yet.", ExitStatus.held
            ),
            (
                try Self.decision(.approved, ("ann", .approve)), "ADMIT_RETIRE, approved by ann",
                "new@1 joins e; c@1 leaves it.", .done
            ),
            (
                try Self.decision(.rejected, ("bob", .reject)), "ADMIT_RETIRE, rejected by bob",
                "new@1's joining of e in place of c@1 was rejected by bob: the champion stays.", .rejected
            ),
            (
                try Self.decision(.superseded), "ADMIT_RETIRE, superseded",
                "new@1's joining of e in place of c@1 is superseded: nothing was published.", .held
            ),
        ]
        for (decision, verdict, headline, status) in examples {
            #expect(ApprovalText.verdict(decision) == verdict)
            #expect(ExitStatus(decision) == status)
            let text = DecisionText.full(try Self.report(decision))
            #expect(text.hasPrefix(headline + "\n"), "\(text)")
            #expect(text.contains("verdict         \(verdict)\n"))
            // A model that has not left is not held.
            #expect(text.contains("New versions of c are held") == (decision.approval?.state == .approved))
        }
        let pending = DecisionText.full(try Self.report(examples[0].0))
        #expect(pending.contains("\nApproved by ann, 2026-01-01 12:34 UTC: a reason\n1 of 2 approvals are given."))
        #expect(pending.contains("`registry approve 9`, or `registry reject 9 --reason TEXT`"))
        #expect(
            DecisionText.full(try Self.report(examples[2].0)).contains("\nRejected by bob, 2026-01-01 12:34 UTC: a"))
        #expect(DecisionText.full(try Self.report(examples[3].0)).contains("any more: epoch 2 has begun.\n"))
        let waiting = try Fixture.submission(
            state: .pending, evaluation: Fixture.evaluation(state: .pending, decision: 9))
        #expect(SubmissionText.of(waiting, nil).hasSuffix("\nWaits for approval: see `registry decisions show 9`."))
    }

    @Test func reviewsSayWhatCameOfThem() async throws {
        let cases: [(DecisionRecord, Int32, String)] = [
            (
                try Self.decision(.pending, needed: 2, ("ann", .approve)), 0,
                "Decision 9 has 1 of 2 approvals; it waits for another person's.\n"
            ),
            (
                try Self.decision(.approved, ("ann", .approve)), 0,
                "Decision 9 is approved: manifest 4 is published.\n"
            ),
            (
                try Self.decision(.superseded), 5,
                "Decision 9 is superseded, and nothing was published: epoch 2 has begun. What it was about is "
                    + "evaluated again; approvals do not carry over.\n"
            ),
        ]
        for (decision, status, output) in cases {
            try await CannedRegistry.with { _, _ in
                try .json(decision)
            } _: { registry in
                let run = await Transcript.run(["approve", "9", "--reason", "fine"], registry: registry)
                #expect(run.status == status && run.output == output, "\(run.output)")
                #expect(registry.seen.map(\.target) == ["/api/v1/decisions/9/approve"])
                let sent = try APIJSON.decoder().decode(ReviewRequest.self, from: Data(registry.seen[0].body))
                #expect(sent.reason == "fine")
            }
        }
        let rejected = try Self.decision(.rejected, ("bob", .reject))
        try await CannedRegistry.with { _, _ in
            try .json(rejected)
        } _: { registry in
            let run = await Transcript.run(["reject", "9", "--reason", "no"], registry: registry)
            #expect(run.status == 0 && run.output == "Decision 9 is rejected by bob; the champion stays.\n")
            #expect(registry.seen.map(\.target) == ["/api/v1/decisions/9/reject"])
            #expect(await Transcript.run(["reject", "9"], registry: registry).status == 2)
            #expect(await Transcript.run(["reject", "9", "--reason", " "], registry: registry).status == 2)
            #expect(registry.seen.count == 1)
        }
    }
}

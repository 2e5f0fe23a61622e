import EnsembleModel
import Foundation
import Logging
import Postgres
import RegistryTesting
import Testing

@testable import RegistryStore

/// Promotions that wait for people's approval.
@Suite struct ApprovalTests {
    /// Runs `body` on a founded ensemble of m1@1 and m2@1 whose policy asks for approval.
    private nonisolated(nonsending) static func withFounded(
        _ approval: Policy.Approval = .one,
        _ body: nonisolated(nonsending) (StoreFixture) async throws -> Void
    ) async throws {
        try await StoreFixture.withEnsemble { fixture in
            try await fixture.found()
            try await set(approval, fixture)
            try await body(fixture)
        }
    }

    private static func set(_ approval: Policy.Approval, _ fixture: StoreFixture) async throws {
        _ = try await fixture.store.setPolicy(
            ensemble: "letters", policy: Policy(approval: approval), reason: "", actor: "ann")
    }

    /// Submits a model that the gate lets in; the decision that waits.
    private static func wait(
        _ model: String, seed: Int, retiring: Set<String> = [], _ fixture: StoreFixture
    ) async throws -> Int64 {
        try await fixture.submit(model, seed: seed)
        let publication = try await fixture.decideNext(retiring.isEmpty ? .admit : .admitRetire, retiring: retiring)
        guard case .awaitsApproval(let decision) = publication else {
            throw StoreFixture.Missing("a decision that waits, not \(publication)")
        }
        return decision
    }

    private static func approve(
        _ decision: Int64, as reviewer: String, _ fixture: StoreFixture
    ) async throws -> DecisionRecord {
        try await fixture.store.approve(
            decision: decision, reviewer: reviewer, reason: "looked at it", now: StoreFixture.time)
    }

    @Test func nothingIsPublishedUntilSomebodyElseApproves() async throws {
        try await Self.withFounded { fixture in
            let store = fixture.store
            let id = try await Self.wait("x@1", seed: 7, retiring: ["m1@1"], fixture)
            var record = try await store.ensemble("letters")
            #expect(record.sequence == 1 && record.members.map(\.description) == ["m1@1", "m2@1"])
            // Who looks at sealed rows pays at once; who would leave is a member still.
            #expect((record.ledger.tests, record.ledger.evaluations, record.ledger.promotions) == (1, 1, 0))
            #expect(record.ledger.submitterTests == ["sam": 1] && record.ledger.coolDowns == [:])
            #expect(try await fixture.number("SELECT count(*) FROM ledger WHERE retired_loss > 0") == 0)
            var decision = try await store.decision(id)
            #expect(
                decision.approval == ApprovalRecord(state: .pending, needed: 1, reviews: [], supersededBecause: nil))
            #expect(decision.verdict == .admitRetire && decision.sequence == nil)
            #expect(try await store.submission(#require(decision.submission)).state == .pending)
            #expect(try await store.nextEvaluated() == nil)
            let combiner = try await JSONDecoder().decode(Evidence.self, from: Data(store.evidence(decision: id)))
                .combiner
            #expect(try await store.combiner(#require(combiner)) == nil, "a combiner that is not published is served")

            let own = await storeError { _ = try await Self.approve(id, as: "sam", fixture) }
            #expect(own == .ownSubmission)
            #expect(try await store.decision(id).approval?.reviews == [])
            decision = try await Self.approve(id, as: "bob", fixture)
            #expect(decision.approval?.state == .approved && decision.approval?.approvers == ["bob"])
            #expect(decision.approval?.reviews.first?.reason == "looked at it" && decision.sequence == 2)
            record = try await store.ensemble("letters")
            #expect(record.sequence == 2 && record.members.map(\.description) == ["m2@1", "x@1"])
            #expect((record.ledger.tests, record.ledger.evaluations, record.ledger.promotions) == (1, 1, 1))
            #expect(try await fixture.number("SELECT count(*) FROM ledger WHERE retired_loss > 0") == 1)
            #expect(try await store.promotions(ensemble: "letters").first?.actor == "sam")
            #expect(try await store.evaluation(decision.evaluation).finishedAt == StoreFixture.time)
            #expect(await storeError { _ = try await Self.approve(id, as: "eve", fixture) } == .conflict)
            #expect(await storeError { _ = try await Self.approve(99, as: "eve", fixture) } == .notFound)
            #expect(
                try await fixture.number(
                    """
                    SELECT count(*) FROM audit_event WHERE (actor, action) IN
                        (('bob', 'decision.approve'), ('sam', 'decision.await_approval'))
                    """) == 2)
            #expect(try await store.verifyAudit() == nil)
        }
    }

    /// Where nothing else happens meanwhile, waiting leaves no trace in the ledger.
    @Test func theLedgerEndsAsWithoutTheWait() async throws {
        var ledgers: [LedgerRecord] = []
        for approval in [Policy.Approval.nobody, .one] {
            try await Self.withFounded(approval) { fixture in
                try await fixture.submit("x@1", seed: 7)
                let publication = try await fixture.decideNext(.admitRetire, retiring: ["m1@1"])
                if case .awaitsApproval(let id) = publication { _ = try await Self.approve(id, as: "bob", fixture) }
                ledgers.append(try await fixture.store.ensemble("letters").ledger)
                let tenures = try await fixture.client.query("SELECT tenures::text FROM ledger")
                #expect(try tenures.first?.decode(String.self) == #"{"x@1": 0, "m2@1": 0}"#)
            }
        }
        #expect(ledgers.count == 2 && ledgers[0] == ledgers[1])
    }

    @Test func twoApprovalsAreOfTwoPeople() async throws {
        try await Self.withFounded(.two) { fixture in
            let id = try await Self.wait("x@1", seed: 7, fixture)
            var decision = try await Self.approve(id, as: "bob", fixture)
            #expect(decision.approval?.state == .pending && decision.approval?.approvers == ["bob"])
            #expect(await storeError { _ = try await Self.approve(id, as: "bob", fixture) } == .conflict)
            #expect(try await fixture.store.ensemble("letters").sequence == 1)
            decision = try await Self.approve(id, as: "eve", fixture)
            #expect(decision.approval?.approvers == ["bob", "eve"] && decision.sequence == 2)
        }
    }

    @Test func aRejectionIsFinalAndGivesNothingBack() async throws {
        try await Self.withFounded { fixture in
            let store = fixture.store
            let id = try await Self.wait("x@1", seed: 7, fixture)
            let before = try await fixture.ledger()
            let blank = await storeError {
                _ = try await store.reject(decision: id, reviewer: "bob", reason: " \n", now: StoreFixture.time)
            }
            #expect(blank == .invalidValue)
            let decision = try await store.reject(
                decision: id, reviewer: "bob", reason: "licence", now: StoreFixture.time)
            #expect(decision.approval?.state == .rejected && decision.verdict == .admit && decision.sequence == nil)
            #expect(
                decision.approval?.rejection?.reviewer == "bob" && decision.approval?.rejection?.reason == "licence")
            #expect(try await fixture.ledger() == before)
            #expect(await storeError { _ = try await Self.approve(id, as: "eve", fixture) } == .conflict)
            // The same again is the same, with its decision; a new version is judged anew.
            let again = try await fixture.submit("x@1", seed: 7)
            #expect(!again.accepted && again.record.evaluation?.decision == id && again.record.state == .decided)
            #expect(try await fixture.claimOrNil() == nil)
            _ = try await Self.wait("x@2", seed: 8, fixture)
            #expect(try await store.ensemble("letters").ledger.tests == 2)
        }
    }

    /// What is spent while a decision waits is another's: the decision still holds.
    @Test func othersGoOnAndTheLedgerKeepsBoth() async throws {
        try await Self.withFounded { fixture in
            let store = fixture.store
            let id = try await Self.wait("x@1", seed: 7, retiring: ["m1@1"], fixture)
            try await fixture.submit("y@1", seed: 8, actor: "eve")
            #expect(try await fixture.decideNext(.rejectNoGain) == .decidedWithoutPromotion)
            let approved = try await Self.approve(id, as: "bob", fixture)
            #expect(approved.sequence == 2)
            let ledger = try await store.ensemble("letters").ledger
            #expect((ledger.tests, ledger.evaluations, ledger.promotions) == (2, 2, 1))
            #expect(ledger.submitterTests == ["sam": 1, "eve": 1])
            // Held for 5 completed evaluations from the approval on.
            #expect(ledger.coolDowns == ["m1": 5])
        }
    }

    /// Two wait for approval; the first approved changes the champion under the second.
    @Test func aMovedChampionIsEvaluatedAgainAndApprovalsDoNotCarryOver() async throws {
        try await Self.withFounded(.two) { fixture in
            let store = fixture.store
            let first = try await Self.wait("x@1", seed: 7, fixture)
            let second = try await Self.wait("y@1", seed: 8, fixture)
            _ = try await Self.approve(second, as: "bob", fixture)
            for reviewer in ["bob", "eve"] { _ = try await Self.approve(first, as: reviewer, fixture) }
            let superseded = try await Self.approve(second, as: "eve", fixture)
            #expect(superseded.approval?.state == .superseded && superseded.sequence == nil)
            #expect(superseded.approval?.supersededBecause == "the champion changed from manifest 1 to 2")
            #expect(superseded.approval?.approvers == ["bob"], "what did not count is not recorded as an approval")
            let submission = try await store.submission(#require(superseded.submission))
            #expect(submission.state == .queued && submission.evaluation?.decision == nil)

            let claim = try await fixture.claim()
            #expect(claim.sequence == 2 && claim.challenger?.description == "y@1" && claim.submitter == "sam")
            try await fixture.complete(claim)
            guard
                case .awaitsApproval(let third) = try await store.publish(
                    evaluation: claim.evaluation, now: StoreFixture.time)
            else { throw StoreFixture.Missing("a third decision") }
            #expect(try await store.decision(third).approval?.reviews == [])
            // Both looks at sealed rows are paid for.
            #expect(try await store.ensemble("letters").ledger.tests == 3)
            for reviewer in ["bob", "eve"] { _ = try await Self.approve(third, as: reviewer, fixture) }
            #expect(try await store.ensemble("letters").sequence == 3)
            #expect(
                try await fixture.number("SELECT count(*) FROM audit_event WHERE action = 'decision.supersede'") == 1)
        }
    }

    @Test func aChangedPolicyIsEvaluatedUnder() async throws {
        try await Self.withFounded { fixture in
            let id = try await Self.wait("x@1", seed: 7, fixture)
            try await Self.set(.nobody, fixture)
            #expect(try await Self.approve(id, as: "bob", fixture).approval?.state == .superseded)
            #expect(try await fixture.decideNext() == .published(sequence: 2))
            #expect(try await fixture.store.ensemble("letters").ledger.tests == 2)
        }
    }

    @Test func aNewEpochEndsWhatWaits() async throws {
        try await Self.withFounded { fixture in
            let id = try await Self.wait("x@1", seed: 7, fixture)
            _ = try await fixture.store.startEpoch(
                ensemble: "letters", validation: StoreFixture.validation(rows: 4, from: 100), actor: "ann")
            let decision = try await fixture.store.decision(id)
            #expect(decision.approval?.state == .superseded)
            #expect(decision.approval?.supersededBecause == "epoch 2 has begun")
            #expect(await storeError { _ = try await Self.approve(id, as: "bob", fixture) } == .conflict)
            #expect(try await fixture.claimOrNil() == nil)
        }
    }

    /// A founding publishes too, so it waits as well; who asked for it does not approve of it.
    @Test func aFoundingWaits() async throws {
        try await StoreFixture.withEnsemble(policy: Policy(approval: .one)) { fixture in
            let store = fixture.store
            for (seed, model) in ["m1@1", "m2@1"].enumerated() { try await fixture.submit(model, seed: seed) }
            let asked = try await store.requestFounding(ensemble: "letters", actor: "ann")
            guard case .awaitsApproval(let id) = try await fixture.decideNext() else {
                throw StoreFixture.Missing("a founding that waits")
            }
            #expect(try await store.ensemble("letters").sequence == 0)
            // Asked for again, it is the same; and the rule of founding stays while it waits.
            #expect(try await store.requestFounding(ensemble: "letters", actor: "bob").id == asked.id)
            let changed = await storeError {
                _ = try await store.setPolicy(
                    ensemble: "letters", policy: Policy(founding: .first), reason: "", actor: "ann")
            }
            #expect(changed == .conflict)
            #expect(await storeError { _ = try await Self.approve(id, as: "ann", fixture) } == .ownSubmission)
            try await fixture.submit("late@1", seed: 9)
            #expect(try await Self.approve(id, as: "bob", fixture).sequence == 1)
            #expect(try await store.ensemble("letters").members.map(\.description) == ["m1@1", "m2@1"])
            #expect(try await fixture.claim().challenger?.description == "late@1")
        }
    }

    @Test(arguments: [Policy.Approval.one, .two])
    func approvalsAtOncePublishOnce(_ approval: Policy.Approval) async throws {
        try await Self.withFounded(approval) { fixture in
            for round in 1...4 {
                let id = try await Self.wait("x\(round)@1", seed: 10 + round, fixture)
                let counted = try await withThrowingTaskGroup(of: Bool.self) { group in
                    for reviewer in 1...6 {
                        group.addTask {
                            let error = await storeError { _ = try await Self.approve(id, as: "r\(reviewer)", fixture) }
                            #expect(error == nil || error == .conflict)
                            return error == nil
                        }
                    }
                    return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
                }
                #expect(counted == approval.needed)
                #expect(try await fixture.store.decision(id).approval?.approvers.count == approval.needed)
                let record = try await fixture.store.ensemble("letters")
                #expect(record.sequence == 1 + round && record.ledger.promotions == round)
            }
            #expect(try await fixture.store.verifyAudit() == nil)
        }
    }

    /// An approval and another submission's publication at once: whichever comes second sees the other.
    @Test func anApprovalRacesAnotherPublication() async throws {
        try await Self.withFounded { fixture in
            for round in 1...4 {
                let id = try await Self.wait("x\(round)@1", seed: 10 + round, fixture)
                let sequence = try await fixture.store.ensemble("letters").sequence
                try await fixture.submit("y\(round)@1", seed: 50 + round)
                let claim = try await fixture.claim()
                try await fixture.complete(claim)
                async let approved = Self.approve(id, as: "bob", fixture)
                async let published = fixture.store.publish(evaluation: claim.evaluation, now: StoreFixture.time)
                let outcome = try await (approved.approval?.state, published)
                #expect(outcome.0 == .approved)
                #expect(try await fixture.store.ensemble("letters").sequence == sequence + 1)
                guard case .awaitsApproval(let other) = outcome.1 else {
                    guard case .requeued = outcome.1 else { throw StoreFixture.Missing("another evaluation") }
                    _ = try await fixture.store.cancel(evaluation: claim.evaluation, actor: "ann")
                    continue
                }
                // It was decided first, and the champion has moved since.
                #expect(try await Self.approve(other, as: "bob", fixture).approval?.state == .superseded)
                _ = try await fixture.store.cancel(evaluation: fixture.claim().evaluation, actor: "ann")
            }
        }
    }

    /// The connection is lost at every message in turn, sent or answered: approved whole or not at all, and who
    /// approved learns which.
    @Test(arguments: [false, true])
    func anApprovalCutAnywhereIsWholeOrNothing(_ cutsAnswers: Bool) async throws {
        try await Self.withFounded { fixture in
            let place = try #require(fixture.connectionString.firstMatch(of: /host='([^']+)' port='([0-9]+)'/))
            let port = try #require(Int(place.2))
            var (number, cuts, failed, approved) = (0, 0, 0, 0)
            repeat {
                number += 1
                let leaving = number == 1 ? "m1@1" : "x\(number - 1)@1"
                let id = try await Self.wait("x\(number)@1", seed: 10 + number, retiring: [leaving], fixture)
                let before = try await fixture.ledger()
                var record: DecisionRecord?
                try await ScratchDirectory.with { scratch in
                    let cutter = try CommitCutter(
                        directory: scratch.path, upstream: String(place.1), port: port,
                        cutting: cutsAnswers ? .answer(number) : .request(number))
                    cutter.start()
                    let client = PostgresClient(
                        configuration: PostgresConfiguration(
                            connectionString: fixture.connectionString.replacing(place.1, with: scratch.path)),
                        logger: Logger(label: "cut", factory: { _ in SwiftLogNoOpLogHandler() }))
                    let store = RegistryStore(client: client, logger: fixture.store.logger, signer: PlainSigner())
                    do {
                        record = try await store.approve(
                            decision: id, reviewer: "bob", reason: "", now: StoreFixture.time)
                    } catch let error as StoreError where error.code == .databaseUnavailable {}
                    cuts = cutter.cutCount
                    await client.shutdown()
                    cutter.stop()
                }
                let stored = try await fixture.store.decision(id)
                if let record {
                    approved += 1
                    #expect(record == stored && stored.approval?.state == .approved, "message \(number)")
                } else {
                    failed += 1
                    #expect(stored.approval?.state == .pending, "message \(number)")
                    #expect(try await fixture.ledger() == before, "message \(number)")
                    #expect(try await Self.approve(id, as: "bob", fixture).approval?.state == .approved)
                }
                #expect(try await fixture.store.ensemble("letters").sequence == number + 1, "message \(number)")
            } while cuts > 0
            // Most cuts come before the commit; the last round has none.
            #expect(failed >= 8 && approved >= (cutsAnswers ? 2 : 1), "\(failed), \(approved)")
        }
    }

    /// What the program would never write, the database refuses as well.
    @Test(arguments: [
        "UPDATE decision SET approval = 'approved', resolved_at = now() WHERE approval = 'pending'",
        "UPDATE decision SET approval = 'rejected', resolved_at = now() WHERE approval = 'pending'",
        "UPDATE decision SET approval = 'none', approvals_needed = 0 WHERE approval = 'pending'",
        "UPDATE decision SET decided_at = now() WHERE approval = 'pending'",
        "DELETE FROM decision WHERE approval = 'pending'",
        """
        INSERT INTO review (decision_id, reviewer, answer, reason, proposed_by, reviewed_at)
        SELECT id, 'sam', 'approve', '', '{sam}', now() FROM decision WHERE approval = 'pending'
        """,
        """
        INSERT INTO review (decision_id, reviewer, answer, reason, proposed_by, reviewed_at)
        SELECT id, 'bob', 'reject', ' ', '{sam}', now() FROM decision WHERE approval = 'pending'
        """,
        """
        INSERT INTO review (decision_id, reviewer, answer, reason, proposed_by, reviewed_at)
        SELECT id, 'bob', 'approve', '', '{sam}', now() FROM decision WHERE approval = 'none'
        """,
        """
        INSERT INTO promotion SELECT ensemble_id, sequence, (SELECT id FROM decision WHERE approval = 'pending'), kind,
            admission, joined, retired, members, actor, reason, created_at FROM promotion
        """,
    ])
    func theDatabaseRefuses(_ statement: String) async throws {
        try await Self.withFounded { fixture in
            _ = try await Self.wait("x@1", seed: 7, fixture)
            var state: SQLState?
            do {
                try await fixture.client.execute(SQL(stringLiteral: statement))
            } catch let error as PostgresError {
                if case .server(let refusal) = error.code { state = refusal }
            }
            // Not by some unique or foreign key that happens to be in the way.
            #expect(["23001", "23514"].contains(state?.rawValue))
        }
    }
}

extension StoreFixture {
    /// The next evaluation, if there is one.
    fileprivate func claimOrNil() async throws -> RegistryStore.Claim? {
        try await store.claim(worker: "worker", lease: .seconds(60))
    }
}

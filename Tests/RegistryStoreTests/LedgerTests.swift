import EnsembleModel
import Foundation
import Logging
import Postgres
import RegistryTesting
import Testing

@testable import RegistryStore

/// What an epoch has spent: booked with the verdict or not at all, and never given back.
@Suite struct LedgerTests {
    @Test func theRecordTellsWhatIsSpentAndLeft() async throws {
        let policy = Policy(gate: .init(alpha: 0.1, testsPerEpoch: 10), coolDown: 2)
        try await StoreFixture.withEnsemble(policy: policy) { fixture in
            let store = fixture.store
            var ledger = try await store.ensemble("letters").ledger
            #expect((ledger.tests, ledger.testsLeft, ledger.alphaLeft) == (0, 10, 0.1))
            try await fixture.found()
            for (seed, actor, verdict) in [
                (11, "sam", Verdict.rejectNoGain), (12, "eve", .rejectGuardrail), (13, "sam", .admitRetire),
                (14, "sam", .rejectDuplicate), (15, "sam", .holdQuota),
            ] {
                try await fixture.submit("x\(seed)@1", seed: seed, actor: actor)
                try await fixture.decideNext(verdict, retiring: verdict == .admitRetire ? ["m1@1"] : [])
            }
            ledger = try await store.ensemble("letters").ledger
            #expect((ledger.tests, ledger.testsLeft, ledger.evaluations, ledger.promotions) == (3, 7, 3, 1))
            #expect(abs(ledger.alphaSpent - 0.03) < 1e-12 && abs(ledger.alphaLeft - 0.07) < 1e-12)
            #expect(ledger.submitterTests == ["sam": 2, "eve": 1])
            // The admission itself counts: dropped at 2 completed evaluations, for 5 (as made up), 3 are completed now.
            #expect(ledger.coolDowns == ["m1": 5])
            // Half of the alpha, half of the tests: what is left of alpha pays for fewer.
            _ = try await store.setPolicy(
                ensemble: "letters", policy: Policy(gate: .init(alpha: 0.05, testsPerEpoch: 10)), reason: "",
                actor: "ann")
            #expect(try await store.ensemble("letters").ledger.testsLeft == 4)
            #expect(try await store.ensembles().first?.ledger.tests == 3)
            let shown = String(decoding: try await JSONEncoder().encode(store.ensemble("letters")), as: UTF8.self)
            #expect(!shown.contains("retired_loss"))
        }
    }

    @Test(arguments: [
        "tests = tests - 1", "alpha_spent = 0", "evaluations = evaluations - 1", "promotions = 0", "retired_loss = 0",
        "submitter_tests = '{}'", #"submitter_tests = '{"eve": 9}'"#,
    ])
    func nothingIsGivenBack(_ refund: String) async throws {
        try await StoreFixture.withEnsemble { fixture in
            try await fixture.found()
            try await fixture.submit("x@1", seed: 7)
            try await fixture.decideNext(.admitRetire, retiring: ["m1@1"])
            let before = try await fixture.ledger()
            let statements: [SQL] = [
                SQL(unsafe: "UPDATE ledger SET revision = revision + 1, \(refund)"),
                "UPDATE ledger SET tests = tests + 1", "UPDATE ledger SET revision = revision + 2",
                "UPDATE ledger SET revision = 0", "DELETE FROM ledger", "TRUNCATE ledger",
            ]
            for statement in statements {
                let error = await #expect(throws: PostgresError.self) { try await fixture.client.execute(statement) }
                #expect(error?.code == .server(SQLState(rawValue: "23001")), "\(statement.text)")
            }
            #expect(try await fixture.ledger() == before)
            // Spending goes on.
            try await fixture.client.execute("UPDATE ledger SET tests = tests + 1, revision = revision + 1")
        }
    }

    /// A worker that dies has booked nothing; its successor's outcome is booked once.
    @Test func aKilledWorkerBooksNothing() async throws {
        try await StoreFixture.withEnsemble { fixture in
            let store = fixture.store
            try await fixture.found()
            try await fixture.submit("x@1", seed: 7)
            let before = try await fixture.ledger()
            let killed = try await fixture.claim(worker: "killed")
            try await store.abandonLeases(worker: "killed")
            let second = try await fixture.claim(worker: "second")
            #expect(await storeError { try await fixture.complete(killed) } == .leaseLost)
            try await fixture.complete(second)
            // Killed after its outcome is stored, before it is published.
            try await store.abandonLeases(worker: "second")
            #expect(try await store.claim(worker: "third", lease: .seconds(60)) == nil)
            #expect(try await fixture.ledger() == before)
            _ = try await store.publish(evaluation: second.evaluation, now: StoreFixture.time)
            _ = try await store.publish(evaluation: second.evaluation, now: StoreFixture.time)
            #expect(try await store.ensemble("letters").ledger.tests == 1)
            #expect(try await fixture.number("SELECT revision FROM ledger") == 2)
        }
    }

    /// The connection is lost at every message in turn, sent or answered: the ledger is as before or as after.
    @Test(arguments: [false, true])
    func aPublicationCutAnywhereIsBookedWholeOrNotAtAll(_ cutsAnswers: Bool) async throws {
        try await StoreFixture.withEnsemble { fixture in
            let place = try #require(fixture.connectionString.firstMatch(of: /host='([^']+)' port='([0-9]+)'/))
            let port = try #require(Int(place.2))
            try await fixture.found()
            var (number, cuts, undecided, decided) = (0, 0, 0, 0)
            repeat {
                number += 1
                try await fixture.submit("x\(number)@1", seed: number)
                let claim = try await fixture.claim()
                let leaving = number == 1 ? "m1@1" : "x\(number - 1)@1"
                try await fixture.complete(claim, .admitRetire, retiring: [leaving])
                let before = try await fixture.ledger()
                let cut: CommitCutter.Cut = cutsAnswers ? .answer(number) : .request(number)
                var published = false
                try await ScratchDirectory.with { scratch in
                    let cutter = try CommitCutter(
                        directory: scratch.path, upstream: String(place.1), port: port, cutting: cut)
                    cutter.start()
                    let client = PostgresClient(
                        configuration: PostgresConfiguration(
                            connectionString: fixture.connectionString.replacing(place.1, with: scratch.path)),
                        logger: Logger(label: "cut", factory: { _ in SwiftLogNoOpLogHandler() }))
                    let store = RegistryStore(client: client, logger: fixture.store.logger, signer: PlainSigner())
                    do {
                        _ = try await store.publish(evaluation: claim.evaluation, now: StoreFixture.time)
                        published = true
                    } catch let error as StoreError where error.code == .databaseUnavailable {}
                    cuts = cutter.cutCount
                    await client.shutdown()
                    cutter.stop()
                }
                if published { decided += 1 } else { undecided += 1 }
                #expect(try await (fixture.ledger() == before) == !published, "message \(number)")
                let again = try await fixture.store.publish(evaluation: claim.evaluation, now: StoreFixture.time)
                #expect(again == (published ? .gone : .published(sequence: number + 1)), "message \(number)")
                let outcome = try claim.outcome(.admitRetire, retiring: [leaving])
                let record = try await fixture.store.ensemble("letters")
                #expect(record.ledger == LedgerRecord(outcome.ledger, gate: claim.policy.gate), "message \(number)")
                #expect(try await fixture.number("SELECT revision FROM ledger") == number + 1)
            } while cuts > 0
            // Most cuts come before the commit; the last round has none.
            #expect(undecided >= 8 && decided >= (cutsAnswers ? 2 : 1))
        }
    }

    /// Workers and publishers of several ensembles race: every ledger is the sum of its own decisions.
    @Test func racingPublicationsOfSeveralEnsemblesKeepEveryLedgerWhole() async throws {
        let names = (0..<4).map { "e\($0)" }
        let verdicts: [Verdict] = [
            .admit, .rejectNoGain, .holdCooldown, .rejectDuplicate, .rejectGuardrail, .admitRetire,
        ]
        try await StoreFixture.with { fixture in
            let store = fixture.store
            for name in names {
                try await fixture.create(name)
                try await fixture.found(ensemble: name)
            }
            for (index, _) in verdicts.enumerated() {
                for name in names {
                    try await fixture.submit(
                        "x\(index)@1", to: name, seed: index + 10, actor: index % 2 == 0 ? "sam" : "eve")
                }
            }
            try await Self.race(fixture, verdicts: verdicts)
            for name in names {
                let decisions = try await store.decisions(ensemble: name).reversed()
                #expect(decisions.count == verdicts.count + 1)
                var ledger = Ledger()
                for decision in decisions {
                    let evidence = try JSONDecoder().decode(
                        Evidence.self, from: Data(try await store.evidence(decision: decision.id)))
                    #expect(evidence.ledgerBefore == ledger)
                    ledger = evidence.ledgerAfter
                }
                let record = try await store.ensemble(name)
                #expect(record.ledger == LedgerRecord(ledger, gate: record.policy.gate))
                #expect((record.ledger.tests, record.ledger.evaluations, record.ledger.promotions) == (4, 4, 2))
                #expect(record.ledger.submitterTests == ["sam": 2, "eve": 2])
                #expect(
                    try await fixture.number(
                        """
                        SELECT l.revision FROM ledger l JOIN ensemble e ON e.id = l.ensemble_id WHERE e.name = \(name)
                        """) == verdicts.count + 1)
            }
            #expect(try await store.verifyAudit() == nil)
        }
    }

    private static func race(_ fixture: StoreFixture, verdicts: [Verdict]) async throws {
        let store = fixture.store
        @Sendable func isOpen() async throws -> Bool {
            try await fixture.number("SELECT count(*) FROM evaluation WHERE state <> 'decided'") > 0
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<3 {
                group.addTask {
                    while try await isOpen() {
                        // One worker's leases are over at once: others take its evaluations over meanwhile.
                        let lease = Duration.seconds(worker == 0 ? -1 : 60)
                        guard let claim = try await store.claim(worker: "w\(worker)", lease: lease) else { continue }
                        let number = claim.challenger.flatMap { Int($0.name.dropFirst()) } ?? 0
                        do {
                            try await fixture.complete(
                                claim, verdicts[number], retiring: verdicts[number] == .admitRetire ? ["m1@1"] : [])
                        } catch let error as StoreError where error.code == .leaseLost {}
                        if try await store.evaluation(claim.evaluation).state == .failed {
                            _ = try? await store.retry(evaluation: claim.evaluation, actor: "ann")
                        }
                    }
                }
            }
            for _ in 0..<4 {
                group.addTask {
                    while try await isOpen() {
                        guard let id = try await store.nextEvaluated() else { continue }
                        _ = try await store.publish(evaluation: id, now: StoreFixture.time)
                    }
                }
            }
            try await group.waitForAll()
        }
    }
}

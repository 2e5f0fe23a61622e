import EnsembleModel
import Postgres
import Testing

@testable import RegistryStore

@Suite struct QueueTests {
    private let progress = EvaluationProgress(phase: "cross-fit", completed: 1, total: 5)

    @Test func aClaimCarriesWhatIsEvaluated() async throws {
        try await StoreFixture.withEnsemble { fixture in
            let cost = ModelMetadata(latencyNanoseconds: 5, costNanoUSDPerRow: 7)
            try await fixture.submit("b@1", seed: 1, metadata: cost)
            let a = try await fixture.submit("a@1", seed: 2).record
            let request = try await fixture.store.requestFounding(ensemble: StoreFixture.ensemble, actor: "ann")
            #expect(try await fixture.store.requestFounding(ensemble: StoreFixture.ensemble, actor: "bob") == request)

            let founding = try await fixture.claim()
            let record = try await fixture.store.ensemble(StoreFixture.ensemble)
            #expect(founding.evaluation == request.id)
            #expect((founding.kind, founding.sequence, founding.attempt, founding.epoch) == (.founding, 0, 1, 1))
            #expect(founding.champion == [] && founding.challenger == nil && founding.preset == nil)
            #expect(founding.candidates.map(\.model.description) == ["a@1", "b@1"])
            #expect(founding.candidates.map(\.cost) == [ModelCost(), cost.cost])
            #expect(
                founding.candidates.first?.submission == a.id && founding.candidates.first?.predictions == a.predictions
            )
            #expect((founding.policy, founding.policyVersion) == (record.policy, 1))
            #expect((founding.epochSalt, founding.validation) == (record.epoch.salt, record.epoch.validation))

            try await fixture.complete(founding)
            _ = try await fixture.store.publish(evaluation: founding.evaluation, now: StoreFixture.time)
            let submission = try await fixture.submit("aa@1", seed: 3).record
            #expect(submission.state == .queued)
            try await fixture.submit("c@1", seed: 4)
            let admission = try await fixture.claim()
            #expect(admission.evaluation == submission.evaluation?.id)
            #expect((admission.kind, admission.sequence, admission.preset) == (.admission, 1, .small))
            #expect(admission.challenger?.description == "aa@1")
            #expect(admission.champion.map(\.description) == ["a@1", "b@1"])
            #expect(admission.candidates.map(\.model.description) == ["a@1", "aa@1", "b@1"])
            #expect(admission.fenceToken > founding.fenceToken)
        }
    }

    @Test func claimersAtOnceNeverShareAnEvaluation() async throws {
        try await StoreFixture.with { fixture in
            for index in 0..<12 {
                try await fixture.create("e\(index)")
                try await fixture.submit("m@1", to: "e\(index)")
                _ = try await fixture.store.requestFounding(ensemble: "e\(index)", actor: "ann")
            }
            let claimed = try await withThrowingTaskGroup(of: [Int64].self) { group in
                for worker in 0..<8 {
                    group.addTask {
                        var mine: [Int64] = []
                        while let claim = try await fixture.store.claim(worker: "w\(worker)", lease: .seconds(60)) {
                            mine.append(claim.evaluation)
                        }
                        return mine
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            // A claimer that finds the only free one locked goes away with nothing; what is left is for the next.
            var rest: [Int64] = []
            while let claim = try await fixture.store.claim(worker: "last", lease: .seconds(60)) {
                rest.append(claim.evaluation)
            }
            #expect(Set(claimed + rest).count == 12)
            #expect(claimed.count + rest.count == 12)
            #expect(
                try await fixture.number("SELECT count(*) FROM evaluation WHERE attempt = 1 AND state = 'evaluating'")
                    == 12)
        }
    }

    @Test func anEnsemblesEvaluationsGoOneAfterAnother() async throws {
        try await StoreFixture.withEnsemble { fixture in
            let store = fixture.store
            try await fixture.found()
            for model in ["x@1", "y@1"] { try await fixture.submit(model, seed: model.hashValue % 50) }
            let first = try await fixture.claim()
            #expect(first.challenger?.name == "x")
            #expect(try await store.claim(worker: "w", lease: .seconds(60)) == nil)
            try await fixture.complete(first)
            // Evaluated, but the champion it leaves is not known before the publication.
            #expect(try await store.claim(worker: "w", lease: .seconds(60)) == nil)
            #expect(try await store.nextEvaluated() == first.evaluation)
            #expect(
                try await store.publish(evaluation: first.evaluation, now: StoreFixture.time) == .published(sequence: 2)
            )
            let second = try await fixture.claim()
            #expect(second.challenger?.name == "y" && second.champion.contains { $0.name == "x" })
        }
    }

    @Test func anExpiredLeaseIsTakenOverAndTheOldHolderIsShutOut() async throws {
        try await StoreFixture.withEnsemble { fixture in
            let store = fixture.store
            try await fixture.submit("m@1")
            _ = try await store.requestFounding(ensemble: StoreFixture.ensemble, actor: "ann")
            let old = try await fixture.claim(worker: "old", lease: .seconds(-1))
            let new = try await fixture.claim(worker: "new")
            #expect(new.evaluation == old.evaluation && new.fenceToken > old.fenceToken && new.attempt == 2)

            #expect(
                await storeError { try await store.heartbeat(old, progress: progress, lease: .seconds(60)) }
                    == .leaseLost)
            #expect(await storeError { try await fixture.complete(old) } == .leaseLost)
            #expect(await storeError { try await store.fail(old, reason: "r", retryable: true) } == .leaseLost)
            #expect(await storeError { try await store.release(old) } == .leaseLost)
            #expect(try await fixture.number("SELECT count(*) FROM evaluation_outcome") == 0)

            try await store.heartbeat(new, progress: progress, lease: .seconds(60))
            #expect(try await store.evaluation(new.evaluation).progress == progress)
            try await fixture.complete(new)
            // The answer to the first call may have been lost.
            try await fixture.complete(new)
            #expect(try await store.evaluation(new.evaluation).state == .evaluated)
            #expect(
                await storeError { try await store.heartbeat(new, progress: progress, lease: .seconds(60)) }
                    == .leaseLost)
        }
    }

    @Test func aHeartbeatKeepsTheLease() async throws {
        try await StoreFixture.withEnsemble { fixture in
            try await fixture.submit("m@1")
            _ = try await fixture.store.requestFounding(ensemble: StoreFixture.ensemble, actor: "ann")
            let claim = try await fixture.claim(lease: .seconds(-1))
            try await fixture.store.heartbeat(claim, progress: progress, lease: .seconds(60))
            #expect(try await fixture.store.claim(worker: "other", lease: .seconds(60)) == nil)
        }
    }

    @Test func afterThreeDeadWorkersItHasFailed() async throws {
        try await StoreFixture.withEnsemble { fixture in
            let store = fixture.store
            try await fixture.found()
            let submission = try await fixture.submit("x@1", seed: 9).record
            for attempt in 1...3 { #expect(try await fixture.claim(lease: .seconds(-1)).attempt == attempt) }
            #expect(try await store.claim(worker: "w", lease: .seconds(60)) == nil)
            let failed = try await store.submission(submission.id)
            #expect(failed.state == .failed && failed.evaluation?.attempt == 3 && failed.evaluation?.finishedAt != nil)
            #expect(failed.evaluation?.failure?.contains("3 attempts") == true)

            let again = try await store.retry(evaluation: #require(failed.evaluation?.id), actor: "sam")
            #expect(again.state == .queued && again.attempt == 0 && again.failure == nil)
            #expect(try await fixture.decideNext() == .published(sequence: 2))
        }
    }

    @Test func aReportedFailureIsTriedThreeTimesUnlessItIsFinal() async throws {
        try await StoreFixture.withEnsemble { fixture in
            let store = fixture.store
            try await fixture.submit("m@1")
            let id = try await store.requestFounding(ensemble: StoreFixture.ensemble, actor: "ann").id
            for attempt in 1...3 {
                try await store.fail(try await fixture.claim(), reason: "reason \(attempt)", retryable: true)
                let record = try await store.evaluation(id)
                #expect(record.failure == "reason \(attempt)")
                #expect(record.state == (attempt < 3 ? .queued : .failed))
            }
            _ = try await store.retry(evaluation: id, actor: "ann")
            try await store.fail(try await fixture.claim(), reason: "hopeless", retryable: false)
            #expect(try await store.evaluation(id).state == .failed)
            #expect(try await store.claim(worker: "w", lease: .seconds(60)) == nil)
        }
    }

    @Test func anEvaluationGivenBackCostsNoAttempt() async throws {
        try await StoreFixture.withEnsemble { fixture in
            try await fixture.submit("m@1")
            _ = try await fixture.store.requestFounding(ensemble: StoreFixture.ensemble, actor: "ann")
            for _ in 1...4 {
                let claim = try await fixture.claim()
                #expect(claim.attempt == 1)
                try await fixture.store.release(claim)
            }
        }
    }

    @Test func aCancelledEvaluationIsOutUntilRetried() async throws {
        try await StoreFixture.withEnsemble { fixture in
            let store = fixture.store
            try await fixture.found()
            try await fixture.submit("x@1", seed: 9)
            let claim = try await fixture.claim()
            #expect(try await store.cancel(evaluation: claim.evaluation, actor: "ann").state == .cancelled)
            #expect(await storeError { try await fixture.complete(claim) } == .leaseLost)
            #expect(
                await storeError { _ = try await store.cancel(evaluation: claim.evaluation, actor: "ann") } == .conflict
            )

            _ = try await store.retry(evaluation: claim.evaluation, actor: "ann")
            let second = try await fixture.claim()
            try await fixture.complete(second)
            _ = try await store.cancel(evaluation: claim.evaluation, actor: "ann")
            #expect(try await store.publish(evaluation: claim.evaluation, now: StoreFixture.time) == .gone)
            _ = try await store.retry(evaluation: claim.evaluation, actor: "ann")
            #expect(try await fixture.number("SELECT count(*) FROM evaluation_outcome") == 1)
            #expect(try await fixture.decideNext() == .published(sequence: 2))
            #expect(
                await storeError { _ = try await store.cancel(evaluation: claim.evaluation, actor: "ann") } == .conflict
            )
            #expect(
                await storeError { _ = try await store.retry(evaluation: claim.evaluation, actor: "ann") } == .conflict)
        }
    }

    @Test func anEarlierEvaluationRetriedDuringALaterOneWaits() async throws {
        try await StoreFixture.withEnsemble { fixture in
            let store = fixture.store
            try await fixture.found()
            try await fixture.submit("x@1", seed: 8)
            try await fixture.submit("y@1", seed: 9)
            let first = try await fixture.claim()
            try await store.fail(first, reason: "r", retryable: false)
            let second = try await fixture.claim(lease: .seconds(-1))
            #expect(second.evaluation != first.evaluation)
            _ = try await store.retry(evaluation: first.evaluation, actor: "sam")
            // The later one is in flight, even with its lease over: it is the one to be taken.
            let taken = try await fixture.claim()
            #expect(taken.evaluation == second.evaluation)
            #expect(try await store.claim(worker: "w", lease: .seconds(60)) == nil)
        }
    }

    @Test func anOutcomeThatContradictsItsClaimIsRefused() async throws {
        try await StoreFixture.withEnsemble { fixture in
            let store = fixture.store
            try await fixture.found()
            try await fixture.submit("x@1", seed: 9)
            let claim = try await fixture.claim()
            let good = try claim.outcome(.admit)
            let faults: [(inout EvaluationOutcome) throws -> Void] = [
                { $0.membersBefore = [] },
                { $0.membersAfter.reverse() },
                { $0.membersAfter.removeLast() },
                { $0.combiner = nil },
                { $0.combiner = Combiner(text: [1], treeCount: 1, golden: GoldenRows(inputs: [], rawScores: [])) },
                { $0.preset = .standard },
                { $0.verdict = .rejectNoGain },
                { $0.retired = [claim.champion[0]] },
                { $0.evidence.policyVersion = 2 },
                { $0.evidence.validation = .of("other") },
                { $0.evidence.inputs.removeLast() },
                { $0.membersAfter.append(try ModelVersionID("zz@1")) },
            ]
            for (index, fault) in faults.enumerated() {
                var outcome = good
                try fault(&outcome)
                let code = await storeError { [outcome] in
                    try await store.complete(claim, outcome: outcome, worker: "w", programVersion: "1", seconds: 1)
                }
                #expect(code == .corrupt, "fault \(index)")
            }
            var unregistered = good
            unregistered.utilities.append(UtilityScore(model: try ModelVersionID("zz@1"), kind: .sage, value: 1))
            let code = await storeError { [unregistered] in
                try await store.complete(claim, outcome: unregistered, worker: "w", programVersion: "1", seconds: 1)
            }
            #expect(code == .corrupt)
            #expect(try await fixture.number("SELECT count(*) FROM evaluation_outcome") == 1)
            try await store.complete(claim, outcome: good, worker: "w", programVersion: "1", seconds: 1)
        }
    }
}

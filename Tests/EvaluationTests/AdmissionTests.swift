import Boosting
import EnsembleModel
import Evaluation
import Testing

@Suite("Admission by the published rule")
struct AdmissionTests {
    private let task: MadeUpTask
    private let champion: [Candidate]
    private let strong: Candidate

    init() throws {
        task = try MadeUpTask()
        champion = [
            try task.candidate("good", skill: 0.7), try task.candidate("fair", skill: 0.4),
            try task.candidate("weak", skill: 0.25),
        ]
        strong = try task.candidate("strong", skill: 1.2)
    }

    private func evaluate(_ challenger: Candidate, champion: [Candidate]? = nil, budget: Budget) throws
        -> EvaluationOutcome
    {
        let policy = Policy(admission: .shapleyTopK, preset: .auto, budget: budget)
        return try Evaluator(library: .load()).evaluate(
            task.admission(of: challenger, to: champion ?? self.champion, policy: policy))
    }

    @Test("a strong challenger joins while there is room")
    func admit() throws {
        let outcome = try evaluate(strong, budget: Budget(members: 4))
        #expect(outcome.verdict == .admit)
        #expect(outcome.membersBefore.map(\.name) == ["fair", "good", "weak"])
        #expect(outcome.membersAfter.map(\.name) == ["fair", "good", "strong", "weak"])
        #expect(outcome.retired.isEmpty)
        #expect(outcome.preset == .standard, "auto is what the founding fixed")
        #expect(outcome.reason.hasPrefix("ranks 1st of 4 by shapley_abs ("), "\(outcome.reason)")
        let combiner = try #require(outcome.combiner)
        #expect(combiner.digest == outcome.evidence.combiner)
        #expect(combiner.treeCount == 5 * 60 * 3)
    }

    @Test("without room the one that ranks last leaves")
    func admitRetire() throws {
        let outcome = try evaluate(strong, budget: Budget(members: 3))
        #expect(outcome.verdict == .admitRetire)
        #expect(outcome.membersAfter.map(\.name) == ["fair", "good", "strong"])
        #expect(outcome.retired.map(\.name) == ["weak"])
        #expect(outcome.evidence.ranking.map(\.kept) == [true, true, true, false])
        #expect(outcome.evidence.ranking.last?.model.name == "weak")
        // It errs so much less than the others that a person is asked to look.
        #expect(outcome.reason.contains("; weak@1 ("), "\(outcome.reason)")
        #expect(outcome.reason.contains(") leaves; warning: strong@1 errs on "), "\(outcome.reason)")
        #expect(outcome.evidence.foldModels.count == 5)
    }

    @Test("a challenger that ranks last without room is rejected, and everything known about it is reported")
    func rejectNoGain() throws {
        let outcome = try evaluate(try task.candidate("noise", skill: 0), budget: Budget(members: 3))
        #expect(outcome.verdict == .rejectNoGain)
        #expect(outcome.membersAfter == outcome.membersBefore)
        #expect(outcome.combiner == nil && outcome.evidence.combiner == nil)
        #expect(outcome.evidence.foldModels.count == 5)
        #expect(
            outcome.metrics.map { $0.model?.name ?? $0.subject.rawValue } == [
                "fair", "good", "noise", "weak", "average", "class_prior", "champion", "ensemble",
            ])
        let judged = ["fair", "good", "noise", "weak"]
        for kind in UtilityKind.allCases {
            let scores = outcome.utilities.filter { $0.kind == kind }
            #expect(scores.map(\.model.name) == judged)
            #expect(scores.allSatisfy { ($0.standardError == nil) == (kind == .leaveOneOut) })
        }
        let sage = try #require(outcome.utilities.first { $0.kind == .sage && $0.model.name == "noise" })
        let error = try #require(sage.standardError)
        #expect(sage.value < 2 * error, "noise is worth nothing")
    }

    @Test("leave-one-out is the difference of the losses of two sets that were fitted")
    func leaveOneOut() throws {
        let outcome = try evaluate(strong, budget: Budget(members: 4))
        let losses = Dictionary(uniqueKeysWithValues: outcome.evidence.tried.map { ($0.members, $0.logLoss) })
        let judged = outcome.membersAfter
        #expect(losses.count == judged.count + 1, "the set itself and one without each; nothing is fitted twice")
        for score in outcome.utilities where score.kind == .leaveOneOut {
            let without = try #require(losses[judged.filter { $0 != score.model }])
            #expect(score.value == without - (try #require(losses[judged])))
        }
        let ensemble = try #require(outcome.metrics.last)
        #expect(ensemble.subject == .ensemble && ensemble.metrics.logLoss == losses[judged])
    }

    @Test("the ranking is walked past what breaks the budget")
    func latencyBudget() throws {
        func priced(_ candidate: Candidate, milliseconds: Int64) -> Candidate {
            Candidate(
                id: candidate.id, predictions: candidate.predictions,
                cost: ModelCost(latencyNanoseconds: milliseconds * 1_000_000))
        }
        let members = zip(champion, [8, 3, 1]).map { priced($0, milliseconds: $1) }
        let outcome = try evaluate(
            priced(strong, milliseconds: 6), champion: members,
            budget: Budget(members: 64, latencyMilliseconds: 10, latencyRule: .total))
        // strong (6) is kept, good (8) is skipped, fair (3) and weak (1) still fit.
        #expect(outcome.verdict == .admitRetire)
        #expect(outcome.evidence.ranking.map(\.model.name) == ["strong", "good", "fair", "weak"])
        #expect(outcome.evidence.ranking.map(\.kept) == [true, false, true, true])
        #expect(outcome.retired.map(\.name) == ["good"])
    }

    @Test("a challenger that no budget admits is rejected, only the champion is fitted")
    func rejectBudget() throws {
        var dear = strong
        dear.cost = ModelCost(costNanoUSDPerRow: 300_000)
        let outcome = try evaluate(dear, budget: Budget(members: 4, costUSDPer10k: 2))
        #expect(outcome.verdict == .rejectBudget)
        let budget = "it does not fit the budget of 4 members, 2.0 USD per 10,000 rows even alone"
        #expect(outcome.reason.hasPrefix(budget + "; warning: strong@1 errs on "), "\(outcome.reason)")
        #expect(outcome.evidence.tried.map(\.members) == [outcome.membersBefore])
        #expect(outcome.utilities.isEmpty && outcome.combiner == nil)
        #expect(
            outcome.metrics.map(\.subject)
                == [.model, .model, .model, .model, .average, .classPrior, .champion, .ensemble])
    }

    @Test("a copy of a member is named, a near copy only flagged")
    func duplicates() throws {
        let good = champion[0].predictions
        let copy = Candidate(id: try ModelVersionID("copy@1"), predictions: good)
        let outcome = try evaluate(copy, budget: Budget(members: 4))
        #expect(outcome.verdict == .rejectDuplicate)
        #expect(outcome.reason == "its predictions are those of member good@1")
        #expect(outcome.evidence.closeness.map(\.model.name) == ["good"])
        #expect(outcome.evidence.tried.map(\.members) == [outcome.membersBefore])

        let shifted = stride(from: 0, to: good.values.count, by: 3).flatMap { first -> [Float] in
            let row = good.values[first..<first + 3]
            return [row[first] * 0.99, row[first + 1] * 0.99, row[first + 2] * 0.99 + 0.01]
        }
        let near = Candidate(
            id: try ModelVersionID("near@1"), predictions: try Predictions(values: shifted, classCount: 3))
        let flagged = try evaluate(near, budget: Budget(members: 4))
        #expect(flagged.verdict.isAdmission)
        #expect(flagged.evidence.closeness.map(\.model.name) == ["good"])
    }

    @Test("the same request gives the same evidence, bit for bit, in whatever order its parts come")
    func replay() throws {
        let gaps = try task.candidate("gaps", skill: 0.9, missingEvery: 50)
        let first = try evaluate(gaps, budget: Budget(members: 3))
        let second = try evaluate(gaps, champion: champion.reversed(), budget: Budget(members: 3))
        #expect(try first.evidence.digest == second.evidence.digest)
        #expect(first.combiner == second.combiner)
        #expect(first == second)
        #expect(first.metrics.allSatisfy { $0.metrics.logLoss.isFinite })
    }
}

import Boosting
import EnsembleModel
import Testing

@testable import Evaluation

@Suite("Founding")
struct FoundingTests {
    private let task: MadeUpTask

    init() throws { task = try MadeUpTask() }

    private func found(_ candidates: [Candidate], _ policy: Policy) throws -> EvaluationOutcome {
        try Evaluator(library: .load()).evaluate(task.founding(candidates, policy: policy))
    }

    @Test("noise is left out, the utilities are those of the founders, and automatic presets are reported")
    func found() throws {
        let candidates = try [("a", 0.9), ("b", 0.7), ("noise", 0)].map { try task.candidate($0, skill: $1) }
        let outcome = try found(candidates, Policy(budget: Budget(members: 3)))
        #expect(outcome.verdict == .admit)
        #expect(outcome.membersAfter.map(\.name) == ["a", "b"])
        #expect(outcome.evidence.presetLosses.keys.sorted() == ["small", "standard"])
        let best = outcome.evidence.presetLosses.min { $0.value < $1.value }
        #expect(outcome.preset.rawValue == best?.key)
        #expect(Set(outcome.utilities.map(\.model.name)) == ["a", "b"])
        #expect(outcome.metrics.map(\.subject) == [.model, .model, .model, .average, .classPrior, .ensemble])
        #expect(outcome.combiner != nil && outcome.evidence.foldModels.count == 5)
        #expect(outcome.reason.contains("; best single model a@1 "), "\(outcome.reason)")
    }

    @Test("one candidate founds alone and is worth what it saves over the class prior")
    func alone() throws {
        let outcome = try found([task.candidate("a", skill: 0.9)], Policy(preset: .small))
        let prior = try #require(outcome.metrics.first { $0.subject == .classPrior })
        let ensemble = try #require(outcome.metrics.first { $0.subject == .ensemble })
        let worth = try #require(outcome.utilities.first { $0.kind == .leaveOneOut })
        #expect(worth.value == prior.metrics.logLoss - ensemble.metrics.logLoss)
        #expect(outcome.evidence.presetLosses.isEmpty)
    }

    @Test("nothing is founded that is no better than the class prior, or that no budget admits")
    func refusals() throws {
        let noise = try found([task.candidate("noise", skill: 0)], Policy(preset: .standard))
        #expect(noise.verdict == .rejectNoGain)
        #expect(noise.membersAfter.isEmpty && noise.combiner == nil)
        #expect(noise.reason.contains("no better than the class prior"), "\(noise.reason)")

        let dear = try task.candidate("dear", skill: 1, cost: ModelCost(latencyNanoseconds: 3_000_000))
        let refused = try found([dear], Policy(preset: .standard, budget: Budget(latencyMilliseconds: 2)))
        #expect(refused.verdict == .rejectBudget)
        #expect(refused.reason == "no set of candidates fits the budget of 6 members, 2.0 ms a row (parallel-max)")
    }

    @Test("above 16 candidates the weakest by SAGE leaves unsearched, and never comes back")
    func manyCandidates() throws {
        let small = try MadeUpTask(rowCount: 150)
        let candidates = try (0..<17).map { try small.candidate("m\($0 + 10)", skill: 0.05 * Double($0)) }
        let outcome = try Evaluator(library: .load()).evaluate(
            small.founding(candidates, policy: Policy(preset: .standard, budget: Budget(members: 2))))
        #expect(outcome.verdict == .admit)
        #expect(outcome.membersAfter.count <= 2)
        let sets = outcome.evidence.tried.map(\.members)
        #expect(Set(sets).count == sets.count)
        #expect(sets.count { $0.count == 16 } == 1)
        let left = try #require(sets.first { $0.count == 16 })
        #expect(sets.dropFirst().allSatisfy { Set($0).isSubset(of: left) })
    }

    @Test("progress counts up to the totals it announces; a cancelled evaluation stops before the next fit")
    func progress() throws {
        let candidates = try [("a", 0.9), ("b", 0.7), ("c", 0.3)].map { try task.candidate($0, skill: $1) }
        let request = task.founding(candidates, policy: Policy(preset: .standard))
        let reports = Reports()
        _ = try Evaluator(library: .load()).evaluate(request, progress: { reports.list.append($0) })
        #expect(reports.list.first == EvaluationProgress(phase: "preset", completed: 0, total: 1))
        #expect(Set(reports.list.map(\.phase)).isSuperset(of: ["preset", "search", "utility"]))
        #expect(reports.list.allSatisfy { $0.completed <= $0.total })

        let count = reports.list.count
        let error = #expect(throws: EvaluationError.self) {
            try Evaluator(library: .load()).evaluate(
                request, progress: { reports.list.append($0) }, isCancelled: { reports.list.count >= count + 3 })
        }
        #expect(error?.code == .cancelled)
        #expect(reports.list.count == count + 3)
    }

    private final class Reports {
        var list: [EvaluationProgress] = []
    }
}

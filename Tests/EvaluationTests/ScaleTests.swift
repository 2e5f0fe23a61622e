import Boosting
import EnsembleModel
import Testing

@testable import Evaluation

/// What an evaluation does differently when there is much: a sample of the rows, a search among many models.
@Suite("Many rows and many models")
struct ScaleTests {
    @Test("a sample has whole groups, is the same every time, and keeps the split")
    func sample() throws {
        let task = try MadeUpTask(rowCount: 1000)
        let rows = HashSplit.sample(of: task.validation, salt: "e1", limit: 301)
        #expect(rows.count == 300, "groups have two rows")
        #expect(rows == rows.sorted() && rows == HashSplit.sample(of: task.validation, salt: "e1", limit: 301))
        #expect(rows != HashSplit.sample(of: task.validation, salt: "e2", limit: 301))
        let chosen = Set(rows)
        for group in Set(rows.map { task.validation.groups[$0] }) {
            let members = task.validation.groups.indices.filter { task.validation.groups[$0] == group }
            #expect(members.allSatisfy(chosen.contains))
        }
        #expect(HashSplit.sample(of: task.validation, salt: "e1", limit: 1000).count == 1000)
        #expect(HashSplit.sample(of: task.validation, salt: "e1", limit: 1).count == 2, "never nothing")

        let inputs = try Inputs(
            task.admission(
                of: task.candidate("b", skill: 1), to: [task.candidate("a", skill: 1, missingEvery: 7)],
                policy: Policy(columns: .probabilityAndGroup)))
        let sampled = try #require(try inputs.sampled(limit: 301))
        #expect(sampled.validation.rowCount == 300 && sampled.columnsEach == 6)
        for (index, row) in rows.enumerated() {
            #expect(sampled.validation.rowIDs[index] == inputs.validation.rowIDs[row])
            #expect(sampled.split.folds[index] == inputs.split.folds[row])
            #expect(sampled.split.isOpen[index] == inputs.split.isOpen[row])
            let columns = try sampled.columns(of: sampled.models, rows: [index])
            let original = try inputs.columns(of: inputs.models, rows: [row])
            #expect(columns.map(\.bitPattern) == original.map(\.bitPattern))
        }
        #expect(try inputs.sampled(limit: 1000) == nil)
    }

    @Test("large sets are searched on the sample and judged on all rows")
    func sampledEvaluation() throws {
        let task = try MadeUpTask(rowCount: 1200)
        let champion = try [task.candidate("fair", skill: 0.4), task.candidate("weak", skill: 0.2)]
        let strong = try task.candidate("strong", skill: 1.2)
        let request = task.admission(
            of: strong, to: champion, policy: Policy(preset: .standard, budget: Budget(members: 2)))
        let evaluator = Evaluator(
            library: try .load(), threads: 1, cache: FitCache(capacityBytes: 0), searchedRows: 600)
        let outcome = try evaluator.evaluate(request)
        #expect(outcome.verdict == .admitRetire)
        #expect(outcome.evidence.split.searchedRows == 600)
        #expect(outcome.evidence.search.flatMap(\.options).allSatisfy { $0.fittedRows == 600 })
        let judged = outcome.evidence.tried.filter { $0.fittedRows == 1200 }
        #expect(judged.map(\.members) == [outcome.membersBefore, outcome.membersAfter])
        #expect(outcome.sealed?.losses.map(\.fittedRows) == [1200, 1200])
        let whole = try Evaluator(library: .load()).evaluate(request)
        #expect(whole.sealed?.gate.championLoss == outcome.sealed?.gate.championLoss, "judged on all rows")
        #expect(whole.sealed?.gate.quantile == outcome.sealed?.gate.quantile)
    }

    @Test("ten and more models: the weakest leave one at a time, the challenger never")
    func greedySearch() throws {
        let task = try MadeUpTask()
        var champion: [Candidate] = []
        for index in 0..<10 {
            champion.append(try task.candidate("m\(index)", skill: index < 8 ? 0.6 : 0))
        }
        let weak = try task.candidate("challenger", skill: 0.1)
        let request = task.admission(
            of: weak, to: champion, policy: Policy(preset: .standard, budget: Budget(members: 9)))
        let coalitions = try coalitions(request)
        var search = MemberSearch(
            coalitions, challenger: weak.id, monitor: Monitor(report: { _ in }, isCancelled: { false }))
        let found = try #require(try search.run((champion.map(\.id) + [weak.id]).sorted()))
        #expect(found.count <= 9 && found.contains(weak.id))
        #expect(search.steps.prefix(2).map(\.move) == [.drop, .drop])
        for step in search.steps where step.move == .drop {
            #expect(step.options.count == 3)
            let lowest = step.sage.filter { $0.model != weak.id }.sorted { $0.value < $1.value }.prefix(3)
            let dropped = step.options.map { option in step.from.filter { !option.members.contains($0) } }
            #expect(Set(dropped.flatMap { $0 }) == Set(lowest.map(\.model)))
            let best = step.options.map(\.logLoss).min()
            #expect(step.options.first { $0.members == step.chosen }?.logLoss == best)
        }
    }

    @Test("where two drops are not enough, more members leave")
    func manyDrops() throws {
        let task = try MadeUpTask()
        let champion = try ["a", "b", "c", "d"].map { try task.candidate($0, skill: 0.5) }
        let strong = try task.candidate("strong", skill: 1)
        let request = task.admission(
            of: strong, to: champion, policy: Policy(preset: .standard, budget: Budget(members: 2)))
        var search = MemberSearch(
            try coalitions(request), challenger: strong.id,
            monitor: Monitor(report: { _ in }, isCancelled: { false }))
        let found = try #require(try search.run((champion.map(\.id) + [strong.id]).sorted()))
        #expect(found.count == 2 && found.contains(strong.id))
    }

    private func coalitions(_ request: EvaluationRequest) throws -> Coalitions {
        let settings = Coalitions.Settings(
            preset: .standard, scope: .open, library: try .load(), threads: 1, cache: FitCache(capacityBytes: 0),
            searchedRows: .max)
        return try Coalitions(
            Inputs(request), settings: settings, monitor: Monitor(report: { _ in }, isCancelled: { false }))
    }
}

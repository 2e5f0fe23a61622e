import Boosting
import EnsembleModel
import Forest
import RegistryTesting
import Shapley
import Testing

@testable import Evaluation

/// What an evaluation under `columns: probability+group` publishes, and what it says models are worth.
@Suite("Group columns")
struct GroupColumnsTests {
    private let task: MadeUpTask
    private let candidates: [Candidate]

    init() throws {
        task = try MadeUpTask(rowCount: 300)
        candidates = [
            try task.candidate("a", skill: 0.9, missingEvery: 3), try task.candidate("b", skill: 0.7),
        ]
    }

    private func policy(_ columns: Policy.Columns) -> Policy {
        Policy(columns: columns, preset: .standard, parsimony: 0, budget: Budget(members: 2))
    }

    private func probabilities(_ rows: [Int]) -> [[Float]] {
        rows.map { row in candidates.flatMap { $0.predictions.values[row * 3..<(row + 1) * 3] } }
    }

    @Test("golden rows are whole rows of some groups, with the scores that LightGBM gives in just their context")
    func goldenRows() throws {
        let library = try LightGBM.load()
        let outcome = try Evaluator(library: library).evaluate(
            task.founding(candidates, policy: policy(.probabilityAndGroup)))
        #expect(outcome.membersAfter.map(\.name) == ["a", "b"])
        let combiner = try #require(outcome.combiner)
        let forest = try Forest(lightGBMText: combiner.text)
        #expect(forest.featureCount == 2 * 2 * 3)

        let golden = combiner.golden
        let inputs = try #require(golden.inputValues)
        // Groups are of rows 0 1, 2 3, ...; member a lacks every third row: 4 5 and 10 11 are the first whole pairs.
        #expect(golden.groups == [0, 0, 1, 1])
        #expect(inputs == probabilities([4, 5, 10, 11]))
        let members = [0, 3].map { first in inputs.flatMap { $0[first..<first + 3] } }
        let columns = groupColumns(of: members, classCount: 3, groups: try #require(golden.groups))
        let scores = try #require(golden.rawScoreValues)
        #expect(forest.rawScores(rows: columns) == scores.flatMap { $0 })
        for (ours, theirs) in zip(
            scores.joined(), try library.predict(text: combiner.text, rows: columns, raw: true))
        {
            #expect(abs(ours - theirs) <= 1e-12)
        }
    }

    @Test("without groups golden rows are the first covered ones and name no groups")
    func goldenRowsOfProbabilities() throws {
        let outcome = try Evaluator(library: .load()).evaluate(
            task.founding(candidates, policy: policy(.probability)))
        let golden = try #require(outcome.combiner?.golden)
        #expect(golden.groups == nil)
        #expect(golden.inputValues == probabilities([1, 2, 4, 5]))
    }

    @Test("a model's 2K columns are one player, and players' values sum to what the scores differ from the base")
    func shapley() throws {
        var request = task.founding(candidates, policy: policy(.probabilityAndGroup))
        request.preset = .standard
        let monitor = Monitor(report: { _ in }, isCancelled: { false })
        let settings = Coalitions.Settings(
            preset: .standard, scope: .all, library: try .load(), threads: 1, cache: FitCache(capacityBytes: 0),
            searchedRows: .max)
        let coalitions = try Coalitions(Inputs(request), settings: settings, monitor: monitor)
        let inputs = coalitions.inputs
        let fit = try coalitions.fit(inputs.models)
        let models = try coalitions.models(of: fit)
        let rows = inputs.rows(.all)
        let (_, signed) = try HeldOutUtility(inputs, members: fit.members).shapley(
            models, over: rows, monitor: monitor)
        #expect(signed.map(\.model.name) == ["a", "b"])

        // Signed values are linear in the scores: the label's minus the mean of the others'.
        let labels = task.validation.labels
        func margin(_ scores: ArraySlice<Double>, _ label: Int) -> Double {
            let own = scores[scores.startIndex + label]
            return own - (scores.reduce(0, +) - own) / 2
        }
        var expected = 0.0
        for (fold, model) in models.enumerated() {
            let held = rows.filter { inputs.split.folds[$0] == fold }
            let members = candidates.map(\.predictions.values)
            let all = groupColumns(of: members, classCount: 3, groups: task.validation.groups)
            let scores = model.forest.rawScores(rows: held.flatMap { all[$0 * 12..<($0 + 1) * 12] })
            let kernel = try GroupedShapley(
                forest: model.forest, players: Players(ofColumn: (0..<12).map { $0 / 6 }, count: 2))
            for (index, row) in held.enumerated() {
                expected += margin(scores[index * 3..<(index + 1) * 3], labels[row])
                expected -= margin(kernel.base[...], labels[row])
            }
        }
        let difference: Double = signed[0].value + signed[1].value - expected / Double(rows.count)
        #expect(abs(difference) < 1e-9)
        // Both kinds of columns are split on, or the test would say little.
        let features: [Int] = models.flatMap { model in model.forest.trees.flatMap(\.splitFeatures) }
        #expect(Set(features.map { $0 % 6 / 3 }) == [0, 1])
    }
}

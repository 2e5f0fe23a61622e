import Boosting
import EnsembleModel
import Testing

@testable import Evaluation

@Suite("Requests and figures")
struct EvaluationRequestTests {
    @Test("requests that contradict themselves are refused")
    func refusals() throws {
        let task = try MadeUpTask(rowCount: 60)
        let (a, b) = (try task.candidate("a", skill: 1), try task.candidate("b", skill: 1))
        let founding = task.founding([a, b], policy: Policy())
        let admission = task.admission(of: b, to: [a], policy: Policy())
        func code(_ request: EvaluationRequest, _ change: (inout EvaluationRequest) throws -> Void) throws
            -> EvaluationError.Code?
        {
            var request = request
            try change(&request)
            return #expect(throws: EvaluationError.self) { try Evaluator(library: .load()).evaluate(request) }?.code
        }
        #expect(try code(founding) { $0.candidates = [] } == .invalidRequest)
        #expect(try code(founding) { $0.candidates = [a, a] } == .invalidRequest)
        #expect(try code(founding) { $0.champion = [a.id] } == .invalidRequest)
        #expect(try code(founding) { $0.challenger = a.id } == .invalidRequest)
        #expect(try code(founding) { $0.candidates = try Self.many(257, like: a) } == .tooManyCandidates)
        #expect(
            try code(founding) { $0.candidates[0].predictions = try Predictions(values: [0, 1, 0], classCount: 3) }
                == .invalidRequest)
        #expect(try code(admission) { $0.challenger = nil } == .invalidRequest)
        #expect(try code(admission) { $0.champion = [] } == .invalidRequest)
        #expect(try code(admission) { $0.champion = [b.id] } == .invalidRequest)
        #expect(try code(admission) { $0.candidates = [b] } == .invalidRequest)
        #expect(try code(admission) { $0.preset = nil } == .invalidRequest)
        #expect(try code(admission) { $0.validation = try MadeUpTask(rowCount: 58).validation } == .invalidRequest)
    }

    private static func many(_ count: Int, like candidate: Candidate) throws -> [Candidate] {
        try (0..<count).map { Candidate(id: try ModelVersionID("m\($0)@1"), predictions: candidate.predictions) }
    }

    @Test("too few groups for five folds are refused")
    func tooFewGroups() throws {
        let task = try MadeUpTask(rowCount: 8)
        let error = #expect(throws: EnsembleModelError.self) { try HashSplit(task.validation, salt: "e1") }
        #expect(error?.code == .tooFewGroups)
    }

    @Test("metrics take the first of equal classes, skip missing rows, and count absent classes as zero")
    func metrics() throws {
        let rows = [0, 0, 1, 2].enumerated().map { ValidationSet.Row(id: "r\($0)", label: $1) }
        let validation = try ValidationSet(classes: ["a", "b", "c", "d"], rows: rows)
        let nan = Float.nan
        let first = try Predictions(
            values: [0.5, 0.5, 0, 0, 0, 1, 0, 0, 0.25, 0.75, 0, 0, nan, nan, nan, nan], classCount: 4)
        let second = try Predictions(
            values: [nan, nan, nan, nan, 1, 0, 0, 0, 0.75, 0.25, 0, 0, nan, nan, nan, nan], classCount: 4)

        // Predicted a, b, b for labels a, a, b: F1 is 2/3 for a, 2/3 for b, 0 for c and d, which are absent.
        let alone = ClassificationMetrics(
            averageOf: [first], rows: Array(0..<validation.rowCount), validation: validation)
        #expect(abs(alone.accuracy - 2.0 / 3) < 1e-15)
        #expect(abs(alone.macroF1 - 1.0 / 3) < 1e-15)
        #expect(abs(alone.weightedF1 - 2.0 / 3) < 1e-15)
        // -ln of 0.5, of 0 clipped to 1e-7, and of 0.75.
        #expect(abs(alone.logLoss - (0.693147180559945 + 16.118095650958319 + 0.287682072451781) / 3) < 1e-12)

        // Averages over those present: (.5, .5), (.5, .5), (.5, .5); nobody covers the last row.
        let average = ClassificationMetrics(
            averageOf: [first, second], rows: Array(0..<validation.rowCount), validation: validation)
        #expect(abs(average.logLoss - 0.693147180559945) < 1e-12)
        #expect(abs(average.accuracy - 2.0 / 3) < 1e-15)

        // Shares with one added to each count: 3/8, 2/8, 2/8, 1/8.
        let prior = ClassificationMetrics(classPriorOf: validation, rows: Array(0..<validation.rowCount))
        #expect(prior.accuracy == 0.5)
        #expect(abs(prior.logLoss - (2 * 0.980829253011726 + 2 * 1.386294361119891) / 4) < 1e-12)

        // Rows 1 and 2 are covered by both: 1 and one half.
        #expect(first.meanTotalVariation(to: second) == 0.75)
        let nothing = try Predictions(values: Array(repeating: nan, count: 16), classCount: 4)
        #expect(first.meanTotalVariation(to: nothing) == nil)
    }

    @Test(
        "words",
        arguments: zip(
            [1, 2, 3, 4, 11, 12, 13, 21, 22, 111],
            ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "111th"]))
    func ordinals(number: Int, word: String) {
        #expect(number.ordinal == word)
    }
}

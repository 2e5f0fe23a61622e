import Boosting
import EnsembleModel
import Evaluation
import RegistryTesting

/// Two models on rows in groups of five, and the combiners that the engine publishes for them with and without group
/// columns.
struct GroupedTask: Sendable {
    /// Trained once for all tests.
    static let shared = Result { try GroupedTask() }

    /// N x 3 probabilities of each model.
    let members: [[Float]]
    let groups: [String]
    private let combiners: [Policy.Columns: Combiner]

    private init() throws {
        let task = try SimulatedTask(rowCount: 300, classes: Release.classes)
        let candidates = try [("knn", 0.9), ("minilm", 0.8)].map { name, skill in
            Candidate(
                id: try ModelVersionID(name: name, version: "1"),
                predictions: try task.predictions(skill: skill, seed: UInt64(skill * 100)))
        }
        members = candidates.map(\.predictions.values)
        groups = task.validation.groups.map { task.validation.groupNames[$0] }
        var combiners: [Policy.Columns: Combiner] = [:]
        for columns in Policy.Columns.allCases {
            let outcome = try Evaluator(library: .load()).evaluate(
                EvaluationRequest(
                    kind: .founding, candidates: candidates, validation: task.validation, epochSalt: "e1",
                    policy: Policy(columns: columns, preset: .standard, parsimony: 0, budget: Budget(members: 2)),
                    policyVersion: 1, submitter: "ann", sealKey: "key"))
            guard outcome.membersAfter.count == 2, let combiner = outcome.combiner else {
                throw MalformedFixture("the founding kept \(outcome.membersAfter)")
            }
            combiners[columns] = combiner
        }
        self.combiners = combiners
    }

    func combiner(_ columns: Policy.Columns) throws -> Combiner {
        guard let combiner = combiners[columns] else { throw MalformedFixture("no combiner of \(columns)") }
        return combiner
    }

    func release(
        _ sequence: Int, _ columns: Policy.Columns, after previous: Release? = nil,
        change: (inout Manifest) throws -> Void = { _ in }
    ) throws -> Release {
        try Release(
            sequence, combiner(columns), members: 2, columns: columns, after: previous, change: change)
    }

    /// The models' probabilities of some rows.
    func members(_ rows: [Int]) -> [[Float]] {
        members.map { member in rows.flatMap { member[$0 * 3..<($0 + 1) * 3] } }
    }

    /// The models' probabilities of some rows, side by side: the combiner's input without groups.
    func rows(_ rows: [Int]) -> [Double] {
        rows.flatMap { row in members.flatMap { $0[row * 3..<(row + 1) * 3].map(Double.init) } }
    }
}

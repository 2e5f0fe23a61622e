import EnsembleModel
import Evaluation

/// A small made-up task: rows in groups of two, and models of any skill that depend on nothing but a seed.
struct MadeUpTask {
    let validation: ValidationSet
    private let classCount = 3

    init(rowCount: Int = 400, slice: (Int) -> String? = { _ in nil }) throws {
        var draws = Draws(state: 11)
        let rows = (0..<rowCount).map { row in
            ValidationSet.Row(
                id: "r\(row + 10_000)", label: draws.below(3), group: "g\(row / 2 + 10_000)", slice: slice(row))
        }
        validation = try ValidationSet(classes: ["a", "b", "c"], rows: rows)
    }

    /// A model that leans towards the label by `skill`; 0 is noise. Every `missingEvery`-th row is missing.
    func candidate(_ name: String, skill: Double, missingEvery: Int? = nil, cost: ModelCost = ModelCost()) throws
        -> Candidate
    {
        var draws = Draws(state: UInt64(ContentDigest.of(name).hex.prefix(8), radix: 16) ?? 0)
        var values: [Float] = []
        for (row, label) in validation.labels.enumerated() {
            let weights = (0..<classCount).map { draws.uniform() + 0.05 + ($0 == label ? skill : 0) }
            let sum = weights.reduce(0, +)
            let isMissing = missingEvery.map { row.isMultiple(of: $0) } ?? false
            values += weights.map { isMissing ? .nan : Float($0 / sum) }
        }
        return Candidate(
            id: try ModelVersionID("\(name)@1"), predictions: try Predictions(values: values, classCount: classCount),
            cost: cost)
    }

    func founding(_ candidates: [Candidate], policy: Policy) -> EvaluationRequest {
        EvaluationRequest(
            kind: .founding, candidates: candidates, validation: validation, epochSalt: "e1", policy: policy,
            policyVersion: 3, submitter: "ann", sealKey: "key")
    }

    func admission(of challenger: Candidate, to champion: [Candidate], policy: Policy) -> EvaluationRequest {
        EvaluationRequest(
            kind: .admission, challenger: challenger.id, champion: champion.map(\.id),
            candidates: champion + [challenger],
            validation: validation, epochSalt: "e1", policy: policy, policyVersion: 3, preset: .standard,
            submitter: "ann", sealKey: "key")
    }
}

private struct Draws {
    var state: UInt64

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state >> 33
    }

    mutating func below(_ bound: UInt64) -> Int { Int(next() % bound) }

    mutating func uniform() -> Double { Double(next()) / Double(1 << 31) }
}

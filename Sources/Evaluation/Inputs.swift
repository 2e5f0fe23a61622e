import EnsembleModel

/// What every step of an evaluation reads: the rows, their split, the candidates by identity and what they may cost.
struct Inputs {
    let validation: ValidationSet
    let split: HashSplit
    let budget: Budget
    /// All candidates in model order.
    let models: [ModelVersionID]
    private let candidates: [ModelVersionID: Candidate]

    init(_ request: EvaluationRequest) throws(EvaluationError) {
        validation = request.validation
        do {
            split = try HashSplit(request.validation, salt: request.epochSalt)
        } catch {
            throw EvaluationError(.tooFewGroups, error.message)
        }
        budget = request.policy.budget
        candidates = Dictionary(uniqueKeysWithValues: request.candidates.map { ($0.id, $0) })
        models = candidates.keys.sorted()
    }

    /// A candidate by identity.
    ///
    /// - Throws: ``EvaluationError`` with code `invalidRequest` when it has no predictions.
    func candidate(_ id: ModelVersionID) throws(EvaluationError) -> Candidate {
        guard let candidate = candidates[id] else {
            throw EvaluationError(.invalidRequest, "\(id) has no predictions in this epoch; submit them first")
        }
        return candidate
    }

    /// Whether a set fits the budget.
    func fitsBudget(_ models: some Collection<ModelVersionID>) -> Bool {
        budget.admits(models.map { candidates[$0]?.cost ?? ModelCost() })
    }

    /// The combiner's columns of some rows: model order, then class order, as 64-bit values, row by row.
    func columns(of members: [ModelVersionID], rows: ArraySlice<Int>) throws(EvaluationError) -> [Double] {
        let width = validation.classCount
        var values = [Double](repeating: 0, count: rows.count * members.count * width)
        for (position, member) in members.enumerated() {
            let predictions = try candidate(member).predictions
            predictions.values.withUnsafeBufferPointer { source in
                for (index, row) in rows.enumerated() {
                    let target = (index * members.count + position) * width
                    for column in 0..<width { values[target + column] = Double(source[row * width + column]) }
                }
            }
        }
        return values
    }
}

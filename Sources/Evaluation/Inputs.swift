import EnsembleModel

/// What every step of an evaluation reads: the rows, their split, the candidates by identity and what they may cost.
struct Inputs {
    let validation: ValidationSet
    let salt: String
    let split: HashSplit
    let budget: Budget
    let columns: Policy.Columns
    /// All candidates in model order.
    let models: [ModelVersionID]
    /// Open rows, ascending.
    let openRows: [Int]
    /// Sealed rows, ascending.
    let sealedRows: [Int]
    private let candidates: [ModelVersionID: Candidate]
    private let digests: [ModelVersionID: ContentDigest]
    private let memberColumns: MemberColumnsCache

    init(_ request: EvaluationRequest) throws(EvaluationError) {
        try self.init(
            validation: request.validation, salt: request.epochSalt, budget: request.policy.budget,
            columns: request.policy.columns, candidates: request.candidates)
    }

    private init(
        validation: ValidationSet, salt: String, budget: Budget, columns: Policy.Columns, candidates: [Candidate]
    ) throws(EvaluationError) {
        do {
            split = try HashSplit(validation, salt: salt)
        } catch {
            throw EvaluationError(.tooFewGroups, error.message)
        }
        self.validation = validation
        self.salt = salt
        self.budget = budget
        self.columns = columns
        self.candidates = Dictionary(uniqueKeysWithValues: candidates.map { ($0.id, $0) })
        models = self.candidates.keys.sorted()
        digests = self.candidates.mapValues(\.predictions.digest)
        let split = split
        openRows = split.isOpen.indices.filter { split.isOpen[$0] }
        sealedRows = split.isOpen.indices.filter { !split.isOpen[$0] }
        memberColumns = MemberColumnsCache(groups: columns == .probability ? nil : validation.groups)
    }

    /// The same inputs on a sample of whole groups; nil when all rows are few enough to be searched.
    func sampled(limit: Int) throws -> Inputs? {
        guard validation.rowCount > limit else { return nil }
        let rows = HashSplit.sample(of: validation, salt: salt, limit: limit)
        let sampled = try models.map { model in
            let candidate = try self.candidate(model)
            return Candidate(id: model, predictions: try candidate.predictions.selecting(rows), cost: candidate.cost)
        }
        return try Inputs(
            validation: validation.selecting(rows), salt: salt, budget: budget, columns: columns, candidates: sampled)
    }

    /// Groups among sealed rows.
    var sealedGroupCount: Int { groupCount(of: sealedRows) }

    /// Groups among some rows.
    func groupCount(of rows: [Int]) -> Int { Set(rows.lazy.map { validation.groups[$0] }).count }

    /// The rows of a scope, ascending.
    func rows(_ scope: RowScope) -> [Int] {
        switch scope {
        case .all: Array(0..<validation.rowCount)
        case .open: openRows
        case .sealed: sealedRows
        }
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

    /// SHA-256 of a candidate's predictions.
    func digest(of id: ModelVersionID) throws(EvaluationError) -> ContentDigest {
        if let digest = digests[id] { return digest }
        return try candidate(id).predictions.digest
    }

    /// Whether a set fits the budget.
    func fitsBudget(_ models: some Collection<ModelVersionID>) -> Bool {
        budget.admits(models.map { candidates[$0]?.cost ?? ModelCost() })
    }

    /// Columns of the combiner for each model.
    var columnsEach: Int { columns.count(classCount: validation.classCount) }

    /// The combiner's columns of some rows, row by row: those of each model, in order.
    func columns(of members: [ModelVersionID], rows: some Collection<Int>) throws(EvaluationError) -> [Double] {
        var columns: [MemberColumns] = []
        for member in members { columns.append(memberColumns.columns(of: member, try candidate(member).predictions)) }
        return MemberColumns.joined(columns, rows: Array(rows))
    }
}

/// Each model's columns, whose means over groups are computed once. Used by one thread.
private final class MemberColumnsCache {
    private let groups: [Int]?
    private var known: [ModelVersionID: MemberColumns] = [:]

    init(groups: [Int]?) { self.groups = groups }

    func columns(of model: ModelVersionID, _ predictions: Predictions) -> MemberColumns {
        if let columns = known[model] { return columns }
        let columns = MemberColumns(predictions.values, classCount: predictions.classCount, groups: groups)
        known[model] = columns
        return columns
    }
}

extension ValidationSet {
    /// The set of some rows only.
    fileprivate func selecting(_ rows: [Int]) throws(EnsembleModelError) -> ValidationSet {
        try ValidationSet(
            classes: classes,
            rows: rows.map { row in
                Row(id: rowIDs[row], label: labels[row], group: groupNames[groups[row]], slice: sliceNames[slices[row]])
            })
    }
}

extension Predictions {
    /// The predictions of some rows only.
    fileprivate func selecting(_ rows: [Int]) throws -> Predictions {
        try Predictions(
            values: rows.flatMap { values[$0 * classCount..<($0 + 1) * classCount] }, classCount: classCount)
    }
}

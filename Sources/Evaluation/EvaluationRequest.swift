public import EnsembleModel

/// A model version with usable predictions in the epoch.
public struct Candidate: Sendable {
    /// The model version.
    public var id: ModelVersionID
    /// Its probabilities, N x K; rows it does not cover are NaN.
    public var predictions: Predictions
    /// Its declared cost.
    public var cost: ModelCost

    /// Creates a candidate.
    public init(id: ModelVersionID, predictions: Predictions, cost: ModelCost = ModelCost()) {
        self.id = id
        self.predictions = predictions
        self.cost = cost
    }
}

/// Everything an evaluation needs: it reads nothing else, so the same request gives the same bits.
public struct EvaluationRequest: Sendable {
    /// Founding or admission.
    public var kind: EvaluationKind
    /// The challenger of an admission; nil in a founding.
    public var challenger: ModelVersionID?
    /// The members now; empty in a founding, and in the admission of a first member where the policy founds so.
    public var champion: [ModelVersionID]
    /// All candidates of a founding; members and challenger of an admission.
    public var candidates: [Candidate]
    /// The labelled rows.
    public var validation: ValidationSet
    /// The salt of the epoch's folds.
    public var epochSalt: String
    /// The switches.
    public var policy: Policy
    /// The version of the policy, for the evidence.
    public var policyVersion: Int
    /// The preset fixed by the epoch's founding; nil before. A policy that names a preset itself comes first.
    public var preset: Policy.Preset?
    /// Who sent the challenger, or asked for the founding.
    public var submitter: String
    /// What the epoch has spent and remembers.
    public var ledger: Ledger
    /// Loss given up by retirements since the epoch began, in nats.
    public var retiredLoss: Double
    /// The epoch's secret: makes commitments to sealed figures hide them.
    public var sealKey: String

    /// Creates a request.
    public init(
        kind: EvaluationKind, challenger: ModelVersionID? = nil, champion: [ModelVersionID] = [],
        candidates: [Candidate],
        validation: ValidationSet, epochSalt: String, policy: Policy, policyVersion: Int, preset: Policy.Preset? = nil,
        submitter: String, ledger: Ledger = Ledger(), retiredLoss: Double = 0, sealKey: String
    ) {
        self.kind = kind
        self.challenger = challenger
        self.champion = champion
        self.candidates = candidates
        self.validation = validation
        self.epochSalt = epochSalt
        self.policy = policy
        self.policyVersion = policyVersion
        self.preset = preset
        self.submitter = submitter
        self.ledger = ledger
        self.retiredLoss = retiredLoss
        self.sealKey = sealKey
    }

    /// The rows that figures are over.
    var figures: RowScope { champion.isEmpty ? .all : policy.admission.figures }

    /// Most candidates of a founding: with them its search stays below 500 fitted sets.
    public static let maximumCandidates = 256

    /// Checks that the request can be evaluated.
    func validate() throws(EvaluationError) {
        let ids = candidates.map(\.id)
        guard Set(ids).count == ids.count, Set(champion).count == champion.count else {
            throw EvaluationError(.invalidRequest, "a model version appears more than once among candidates or members")
        }
        for candidate in candidates {
            let predictions = candidate.predictions
            guard predictions.rowCount == validation.rowCount, predictions.classCount == validation.classCount else {
                throw EvaluationError(
                    .invalidRequest,
                    "\(candidate.id) has \(predictions.rowCount) x \(predictions.classCount) predictions; "
                        + "the validation set needs \(validation.rowCount) x \(validation.classCount)")
            }
        }
        if policy.columns == .probabilityAndGroup, validation.groupNames.count == validation.rowCount {
            throw EvaluationError(
                .invalidRequest,
                "columns: probability+group needs groups of more than one row, and every row is a group of its own; "
                    + "use columns: probability or give labels with groups")
        }
        switch kind {
        case .founding:
            guard challenger == nil, champion.isEmpty, !candidates.isEmpty else {
                throw EvaluationError(
                    .invalidRequest, "a founding takes one or more candidates, no champion and no challenger")
            }
            guard candidates.count <= Self.maximumCandidates else {
                throw EvaluationError(
                    .tooManyCandidates,
                    "\(candidates.count) candidates are too many to search: withdraw some; "
                        + "the most is \(Self.maximumCandidates)")
            }
        case .replay:
            throw EvaluationError(.invalidRequest, "a replay is evaluated as the founding or admission that it repeats")
        case .admission:
            guard let challenger, !champion.contains(challenger) else {
                throw EvaluationError(
                    .invalidRequest, "an admission takes a champion and a challenger that is not a member of it")
            }
            guard !champion.isEmpty || policy.founding == .first else {
                throw EvaluationError(.invalidRequest, "the ensemble has no members yet; found it first")
            }
            if let missing = (champion + [challenger]).first(where: { !ids.contains($0) }) {
                throw EvaluationError(.invalidRequest, "\(missing) has no predictions in this epoch; submit them first")
            }
        }
    }
}

import EnsembleModel

/// At most one member that an admission makes obsolete: of those of lowest SAGE that have served long enough, one whose
/// removal provably costs next to nothing, on sealed rows.
struct Retirement {
    private let inputs: Inputs
    private let limits: Policy.Retirement
    private let retiredLoss: Double
    private let found: Coalitions.Fit
    private let candidates: [(model: ModelVersionID, without: Coalitions.Fit)]

    /// - Parameter candidates: members that may leave, each with the fit without it.
    init(
        _ trial: AdmissionTrial, found: Coalitions.Fit,
        candidates: [(model: ModelVersionID, without: Coalitions.Fit)]
    ) {
        inputs = trial.inputs
        limits = trial.request.policy.retirement
        retiredLoss = trial.request.retiredLoss
        self.found = found
        self.candidates = candidates
    }

    /// Each candidate's upper bound of the loss without it; the error probability is shared among them.
    func bounds() -> [SealedEvidence.Retirement] {
        guard !candidates.isEmpty else { return [] }
        let quantile = Normal.upperQuantile(limits.alpha / Double(candidates.count))
        let loss = found.meanLoss(over: inputs.sealedRows)
        return candidates.map { model, without in
            let increase = Comparison(without, found, rows: inputs.sealedRows, validation: inputs.validation)
            let bound = increase.gain + quantile * increase.standardError
            return SealedEvidence.Retirement(
                model: model, lossIncrease: increase.gain, standardError: increase.standardError, upperBound: bound,
                isObsolete: bound < limits.lossIncrease * loss
                    && retiredLoss + max(0, increase.gain) <= limits.totalLoss * loss)
        }
    }

    /// The obsolete one of lowest bound, ties by identity.
    func obsolete(among bounds: [SealedEvidence.Retirement]) -> SealedEvidence.Retirement? {
        bounds.filter(\.isObsolete).min { ($0.upperBound, $0.model) < ($1.upperBound, $1.model) }
    }
}

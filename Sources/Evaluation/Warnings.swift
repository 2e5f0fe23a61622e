import EnsembleModel

/// What a person should look at, from an evaluation's own figures.
struct Warnings {
    /// A model with less than this share of the errors of the next best is suspected to have seen the labels ...
    static let suspiciousErrorShare = 0.25
    /// ... when the next best makes at least so many: fewer are chance.
    static let suspiciousErrors = 20.0

    private let metrics: [MetricsRow]
    private let challenger: ModelVersionID?
    private let rowCount: Int

    init(_ metrics: [MetricsRow], challenger: ModelVersionID?, rowCount: Int) {
        self.metrics = metrics
        self.challenger = challenger
        self.rowCount = rowCount
    }

    func all(_ closeness: [Evidence.Closeness]) -> [Evidence.Warning] {
        baselines() + leaks()
            + closeness.filter { $0.meanTotalVariation > Evaluator.duplicateTotalVariation }.map {
                Evidence.Warning(
                    kind: .nearDuplicate,
                    message:
                        "nearly the same as \($0.model) (mean total variation \($0.meanTotalVariation.decimals(4)))")
            }
    }

    /// Where the ensemble is no better than what needs no ensemble.
    private func baselines() -> [Evidence.Warning] {
        guard let ensemble = metrics.first(where: { $0.subject == .ensemble })?.metrics.logLoss else { return [] }
        func warning(_ kind: Evidence.Warning.Kind, _ name: String, _ row: MetricsRow?) -> Evidence.Warning? {
            guard let row, row.metrics.logLoss <= ensemble else { return nil }
            let losses = "log-loss \(row.metrics.logLoss.decimals(4)) against \(ensemble.decimals(4))"
            return Evidence.Warning(kind: kind, message: "warning: \(name) is no worse than the ensemble (\(losses))")
        }
        let models = metrics.filter { $0.subject == .model }
        let best = models.min { ($0.metrics.logLoss) < ($1.metrics.logLoss) }
        return [
            warning(.bestSingleIsBetter, best?.model.map { "\($0) alone" } ?? "the best model alone", best),
            warning(.averageIsBetter, "the models' plain average", metrics.first { $0.subject == .average }),
            warning(.classPriorIsBetter, "the class prior", metrics.first { $0.subject == .classPrior }),
        ].compactMap { $0 }
    }

    /// A model that is better out of all proportion; in an admission the challenger only.
    private func leaks() -> [Evidence.Warning] {
        let errors = metrics.filter { $0.subject == .model }
            .map { (model: $0.model, errors: (1 - $0.metrics.accuracy) * Double(rowCount)) }
            .sorted { $0.errors < $1.errors }
        guard errors.count > 1, let model = errors[0].model, challenger == nil || model == challenger,
            errors[1].errors >= Self.suspiciousErrors,
            errors[0].errors < Self.suspiciousErrorShare * errors[1].errors
        else { return [] }
        let share = { (count: Double) in (count / Double(rowCount) * 100).decimals(1) }
        return [
            Evidence.Warning(
                kind: .suspectedLeak,
                message: "warning: \(model) errs on \(share(errors[0].errors)) % of rows, the next best on "
                    + "\(share(errors[1].errors)) %: have a person check whether it saw the labels")
        ]
    }
}

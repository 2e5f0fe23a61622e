import Boosting
import EnsembleModel

/// The combiners of one evaluation, by coalition, under one preset. No coalition is fitted twice.
///
/// Memory: 8 bytes a row and the text models (about 1 MB) for each coalition; the forests of the latest few only, since
/// a forest is read from its text again in milliseconds. Used by one thread.
final class Coalitions {
    /// What is kept of a coalition.
    struct Fit {
        /// The models, ascending.
        let members: [ModelVersionID]
        /// Out-of-fold loss of each row, in nats.
        let rowLosses: [Double]
        /// Out-of-fold figures over all rows.
        let metrics: ClassificationMetrics
        /// The text model of each fold.
        let texts: [[UInt8]]

        /// The loss that searches compare: rounded to 1e-9, so that the order does not hang on last bits.
        var searchLoss: Double { (metrics.logLoss * 1e9).rounded(.toNearestOrEven) / 1e9 }
    }

    /// Every coalition fitted, in order.
    private(set) var tried: [Fit] = []

    private let inputs: Inputs
    private let fitter: CrossFitter
    private let monitor: Monitor
    private var positions: [[ModelVersionID]: Int] = [:]
    private var recent: [(members: [ModelVersionID], models: [FoldModel])] = []
    private var sageScores: [[ModelVersionID]: [UtilityScore]] = [:]

    private static let forestsKept = 8

    init(_ inputs: Inputs, preset: Policy.Preset, library: LightGBM, threads: Int, monitor: Monitor) throws {
        guard let parameters = BoostingParameters.preset(preset) else {
            throw EvaluationError(
                .invalidRequest, "preset auto is chosen at founding; found the ensemble first or name a preset")
        }
        let validation = inputs.validation
        self.inputs = inputs
        self.monitor = monitor
        fitter = try CrossFitter(
            library: library, labels: validation.labels, folds: inputs.split.folds, foldCount: HashSplit.foldCount,
            classCount: validation.classCount, parameters: parameters)
        fitter.concurrentFits = threads
    }

    /// The fit of a set of models, made now unless it was made before.
    ///
    /// - Throws: ``EvaluationError`` with code `cancelled`; `BoostingError`.
    func fit(_ models: some Collection<ModelVersionID>) throws -> Fit {
        let members = models.sorted()
        if let fit = known(members) { return fit }
        try monitor.check()
        for member in members where !fitter.contains(member) {
            try fitter.add(member, predictions: inputs.candidate(member).predictions)
        }
        let crossFit = try fitter.fit(members)
        let validation = inputs.validation
        let fit = Fit(
            members: members,
            rowLosses: Scoring.rowLosses(
                crossFit.probabilities, labels: validation.labels, classCount: validation.classCount),
            metrics: ClassificationMetrics(crossFit.probabilities, validation: validation),
            texts: crossFit.models.map(\.text))
        positions[members] = tried.count
        tried.append(fit)
        remember(crossFit.models, of: members)
        monitor.advance()
        return fit
    }

    /// The fit of a set of models in model order, if it was made.
    func known(_ members: [ModelVersionID]) -> Fit? { positions[members].map { tried[$0] } }

    /// The models of each fold.
    func models(of fit: Fit) throws -> [FoldModel] {
        if let known = recent.first(where: { $0.members == fit.members }) { return known.models }
        let models = try fit.texts.map { try FoldModel(text: $0) }
        remember(models, of: fit.members)
        return models
    }

    /// The `sage` utilities of a set's members, in model order.
    func sage(of fit: Fit) throws -> [UtilityScore] {
        if let known = sageScores[fit.members] { return known }
        try monitor.check()
        let scores = try HeldOutUtility(inputs, members: fit.members).sage(models(of: fit))
        sageScores[fit.members] = scores
        return scores
    }

    /// The out-of-fold log-loss of a set, fitted if need be; without models that of the class prior.
    func logLoss(of models: some Collection<ModelVersionID>) throws -> Double {
        guard !models.isEmpty else { return ClassificationMetrics(classPriorOf: inputs.validation).logLoss }
        return try fit(models).metrics.logLoss
    }

    private func remember(_ models: [FoldModel], of members: [ModelVersionID]) {
        if recent.count == Self.forestsKept { recent.removeFirst() }
        recent.append((members, models))
    }
}

/// What the caller gave to watch and stop an evaluation.
final class Monitor {
    private let report: (EvaluationProgress) -> Void
    private let isCancelled: () -> Bool
    private var progress = EvaluationProgress(phase: "", completed: 0, total: 0)

    init(report: @escaping (EvaluationProgress) -> Void, isCancelled: @escaping () -> Bool) {
        self.report = report
        self.isCancelled = isCancelled
    }

    /// Begins a phase of at most `total` fits.
    func begin(_ phase: String, total: Int) {
        progress = EvaluationProgress(phase: phase, completed: 0, total: total)
        report(progress)
    }

    /// One more set is fitted.
    func advance() {
        progress.completed += 1
        progress.total = max(progress.total, progress.completed)
        report(progress)
    }

    /// - Throws: ``EvaluationError`` with code `cancelled` when the caller asked to stop.
    func check() throws(EvaluationError) {
        if isCancelled() { throw EvaluationError(.cancelled, "the evaluation was cancelled") }
    }
}

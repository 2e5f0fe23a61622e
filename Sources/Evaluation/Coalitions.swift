import Boosting
import EnsembleModel
import Forest

/// The combiners of one evaluation, by coalition, under one preset. No coalition is fitted twice, nor one that a cache
/// still holds from an earlier evaluation.
///
/// Memory: 9 bytes a row and the text models (about 1 MB) for each coalition; the forests of the latest few only, since
/// a forest is read from its text again in milliseconds. Used by one thread.
final class Coalitions {
    /// A fitted coalition with its figures.
    struct Fit {
        /// The models, ascending.
        let members: [ModelVersionID]
        let fitted: FittedSet
        /// Out-of-fold figures over the rows of the evaluation's scope.
        let metrics: ClassificationMetrics

        /// Out-of-fold loss of each row, in nats.
        var rowLosses: [Double] { fitted.rowLosses }

        /// The loss that searches compare: rounded to 1e-9, so that the order does not hang on last bits.
        var searchLoss: Double { (metrics.logLoss * 1e9).rounded(.toNearestOrEven) / 1e9 }

        /// By loss, ties by members.
        func precedes(_ other: Fit) -> Bool {
            searchLoss != other.searchLoss
                ? searchLoss < other.searchLoss : members.lexicographicallyPrecedes(other.members)
        }

        /// Mean out-of-fold loss over some rows, in nats.
        func meanLoss(over rows: [Int]) -> Double { rows.reduce(0) { $0 + rowLosses[$1] } / Double(rows.count) }

        /// For the evidence, with its loss over the scope unless another is given.
        func triedSet(logLoss: Double? = nil) -> Evidence.TriedSet {
            Evidence.TriedSet(members: members, logLoss: logLoss ?? metrics.logLoss, fittedRows: rowLosses.count)
        }
    }

    /// Every coalition fitted, in order.
    private(set) var tried: [Fit] = []

    let inputs: Inputs
    /// The rows that ``Fit/metrics`` are over.
    let rows: [Int]
    private let settings: Settings
    private let monitor: Monitor
    private let fitter: CrossFitter
    private let contentKey: ContentDigest
    private var positions: [[ModelVersionID]: Int] = [:]
    private var recent: [(members: [ModelVersionID], models: [FoldModel])] = []
    private var sageScores: [[ModelVersionID]: [UtilityScore]] = [:]

    private static let forestsKept = 8

    /// What fits need beside their inputs.
    struct Settings {
        let preset: Policy.Preset
        /// The rows that figures are over.
        let scope: RowScope
        let library: LightGBM
        let threads: Int
        let cache: FitCache
        /// Above so many rows, sets are searched on a sample of them.
        let searchedRows: Int
    }

    init(_ inputs: Inputs, settings: Settings, monitor: Monitor) throws {
        guard let parameters = BoostingParameters.preset(settings.preset) else {
            throw EvaluationError(
                .invalidRequest, "preset auto is chosen at founding; found the ensemble first or name a preset")
        }
        let validation = inputs.validation
        self.inputs = inputs
        self.settings = settings
        self.monitor = monitor
        rows = inputs.rows(settings.scope)
        fitter = try CrossFitter(
            library: settings.library, labels: validation.labels, folds: inputs.split.folds,
            foldCount: HashSplit.foldCount, classCount: validation.classCount, parameters: parameters)
        fitter.concurrentFits = settings.threads
        contentKey = FitCache.key(inputs, preset: settings.preset, library: settings.library)
    }

    /// The combiners of a sample of the same inputs; these themselves when all rows are few enough.
    func sampled() throws -> Coalitions {
        guard let sample = try inputs.sampled(limit: settings.searchedRows) else { return self }
        return try Coalitions(sample, settings: settings, monitor: monitor)
    }

    /// The fit of a set of models, made now unless it was made before.
    ///
    /// - Throws: ``EvaluationError`` with code `cancelled`; `BoostingError`.
    func fit(_ models: some Collection<ModelVersionID>) throws -> Fit {
        let members = models.sorted()
        if let fit = known(members) { return fit }
        try monitor.check()
        let key = try FitCache.key(contentKey, members: members, inputs: inputs)
        let fitted = try settings.cache.value(for: key) { try crossFit(members) }
        let fit = Fit(
            members: members, fitted: fitted,
            metrics: ClassificationMetrics(fitted, rows: rows, validation: inputs.validation))
        positions[members] = tried.count
        tried.append(fit)
        monitor.advance()
        return fit
    }

    private func crossFit(_ members: [ModelVersionID]) throws -> FittedSet {
        let validation = inputs.validation
        for member in members where !fitter.contains(member) {
            try fitter.add(
                member, columns: inputs.columns(of: [member], rows: 0..<validation.rowCount))
        }
        let crossFit = try fitter.fit(members)
        remember(crossFit.models, of: members)
        return FittedSet(
            rowLosses: Scoring.rowLosses(
                crossFit.probabilities, labels: validation.labels, classCount: validation.classCount),
            predictedClasses: Scoring.predictedClasses(crossFit.probabilities, classCount: validation.classCount),
            texts: crossFit.models.map(\.text))
    }

    /// The fit of a set of models in model order, if it was made.
    func known(_ members: [ModelVersionID]) -> Fit? { positions[members].map { tried[$0] } }

    /// The models of each fold.
    func models(of fit: Fit) throws -> [FoldModel] {
        if let known = recent.first(where: { $0.members == fit.members }) { return known.models }
        let models = try fit.fitted.texts.map { try FoldModel(text: $0) }
        remember(models, of: fit.members)
        return models
    }

    /// Out-of-fold probabilities of a fit, N x K, as they were when it was fitted: the fold models are scored again.
    func probabilities(of fit: Fit) throws -> [Double] {
        let classCount = inputs.validation.classCount
        var probabilities = [Double](repeating: 0, count: inputs.validation.rowCount * classCount)
        for (fold, model) in try models(of: fit).enumerated() {
            let rows = inputs.split.folds.indices.filter { inputs.split.folds[$0] == fold }
            let values = try model.forest.probabilities(rows: inputs.columns(of: fit.members, rows: rows))
            for (index, row) in rows.enumerated() {
                for column in 0..<classCount {
                    probabilities[row * classCount + column] = values[index * classCount + column]
                }
            }
        }
        return probabilities
    }

    /// The `sage` utilities of a set's members, in model order.
    func sage(of fit: Fit) throws -> [UtilityScore] {
        if let known = sageScores[fit.members] { return known }
        try monitor.check()
        let scores = try HeldOutUtility(inputs, members: fit.members).sage(models(of: fit))
        sageScores[fit.members] = scores
        return scores
    }

    /// The members by rising SAGE, ties by identity.
    func lowestSage(of fit: Fit) throws -> [ModelVersionID] {
        try sage(of: fit).sorted { ($0.value, $0.model) < ($1.value, $1.model) }.map(\.model)
    }

    /// The out-of-fold log-loss of a set, fitted if need be; without models that of the class prior.
    func logLoss(of models: some Collection<ModelVersionID>) throws -> Double {
        guard !models.isEmpty else {
            return ClassificationMetrics(classPriorOf: inputs.validation, rows: rows).logLoss
        }
        return try fit(models).metrics.logLoss
    }

    private func remember(_ models: [FoldModel], of members: [ModelVersionID]) {
        if recent.count == Self.forestsKept { recent.removeFirst() }
        recent.append((members, models))
    }
}

extension Comparison {
    /// How much lower the second fit's losses are, over some rows.
    init(_ first: Coalitions.Fit, _ second: Coalitions.Fit, rows: [Int], validation: ValidationSet) {
        var mean = ClusterMean(groupCount: validation.groupNames.count)
        for row in rows { mean.add(first.rowLosses[row] - second.rowLosses[row], group: validation.groups[row]) }
        self.init(mean)
    }
}

public import Boosting
public import EnsembleModel
import Forest

/// Decides about an ensemble: who founds it, and whether a challenger enters it.
///
/// Pure: everything read is in the request, so the same request on the same library gives the same evidence bit for
/// bit.
public struct Evaluator: Sendable {
    /// Closer than this in mean total variation is called close in the evidence.
    public static let closeTotalVariation = 0.01
    /// Up to this mean total variation two models are duplicates.
    public static let duplicateTotalVariation = 1e-6

    private let library: LightGBM
    private let threads: Int
    private let cache: FitCache
    private let searchedRows: Int

    /// Above so many rows, sets are searched, and utilities computed, on a sample of whole groups.
    public static let searchedRows = 50_000

    /// Creates an evaluator.
    ///
    /// - Parameters:
    ///   - library: fits the combiners.
    ///   - threads: folds fitted at the same time; the results do not depend on it.
    ///   - cache: keeps fits from one evaluation to the next; the results do not depend on it.
    public init(library: LightGBM, threads: Int = 1, cache: FitCache = FitCache(capacityBytes: 0)) {
        self.init(library: library, threads: threads, cache: cache, searchedRows: Self.searchedRows)
    }

    init(library: LightGBM, threads: Int, cache: FitCache, searchedRows: Int) {
        self.library = library
        self.threads = threads
        self.cache = cache
        self.searchedRows = searchedRows
    }

    /// Makes an evaluation. It blocks its thread for seconds to minutes.
    ///
    /// The utilities of an admission are of the judged set, members and challenger, whatever the verdict; those of a
    /// founding are of the members founded. A duplicate, or a challenger that no budget admits, is refused with the
    /// champion's fit alone; one that cools down without any: without utilities, with the figures that need no fit.
    ///
    /// - Parameters:
    ///   - request: what to evaluate.
    ///   - progress: called after every fitted set.
    ///   - isCancelled: asked before every fit.
    /// - Returns: the outcome with its evidence.
    /// - Throws: ``EvaluationError``; `BoostingError` when a fit fails.
    public func evaluate(
        _ request: EvaluationRequest, progress: @escaping (EvaluationProgress) -> Void = { _ in },
        isCancelled: @escaping () -> Bool = { false }
    ) throws -> EvaluationOutcome {
        try request.validate()
        let inputs = try Inputs(request)
        let monitor = Monitor(report: progress, isCancelled: isCancelled)
        guard let challenger = request.challenger else { return try found(request, inputs: inputs, monitor: monitor) }
        guard !request.champion.isEmpty else {
            return try foundAlone(challenger, request: request, inputs: inputs, monitor: monitor)
        }
        return try admit(challenger, request: request, inputs: inputs, monitor: monitor)
    }

    private func coalitions(
        _ inputs: Inputs, preset: Policy.Preset, scope: RowScope, monitor: Monitor
    ) throws -> Coalitions {
        let settings = Coalitions.Settings(
            preset: preset, scope: scope, library: library, threads: threads, cache: cache,
            searchedRows: searchedRows)
        return try Coalitions(inputs, settings: settings, monitor: monitor)
    }

    // MARK: Founding

    private func found(_ request: EvaluationRequest, inputs: Inputs, monitor: Monitor) throws -> EvaluationOutcome {
        let searchedInputs = try inputs.sampled(limit: searchedRows) ?? inputs
        let (preset, losses, searched) = try choosePreset(
            request.policy.preset, models: inputs.models, inputs: searchedInputs, monitor: monitor)
        let coalitions =
            searchedInputs.validation.rowCount == inputs.validation.rowCount
            ? searched : try coalitions(inputs, preset: preset, scope: .all, monitor: monitor)
        var search = FoundingSearch(searched, parsimony: request.policy.parsimony, monitor: monitor)
        var report = EvaluationReport(request, coalitions: coalitions, searched: searched, library: library)
        report.preset = preset
        report.presetLosses = losses
        if let result = try search.run() {
            try report.found(coalitions.fit(result.members.members), monitor: monitor) {
                try foundingReason(result, inputs: searchedInputs)
            }
        } else {
            report.verdict = .rejectBudget
            report.reason = "no set of candidates fits the budget of \(inputs.budget.summary)"
        }
        return try report.outcome()
    }

    /// The first submission founds the ensemble when it is better than no model.
    private func foundAlone(
        _ challenger: ModelVersionID, request: EvaluationRequest, inputs: Inputs, monitor: Monitor
    ) throws -> EvaluationOutcome {
        let (preset, losses, coalitions) = try choosePreset(
            request.policy.preset, models: [challenger], inputs: inputs, monitor: monitor)
        var report = EvaluationReport(
            request, coalitions: coalitions, searched: try coalitions.sampled(), library: library)
        report.preset = preset
        report.presetLosses = losses
        if inputs.fitsBudget([challenger]) {
            let fit = try coalitions.fit([challenger])
            try report.found(fit, monitor: monitor) {
                "the first submission better than the class prior: log-loss \(fit.metrics.logLoss.decimals(4))"
            }
        } else {
            report.verdict = .rejectBudget
            report.reason = "it does not fit the budget of \(inputs.budget.summary) even alone"
        }
        return try report.outcome()
    }

    /// The preset named, or the one that fits all candidates with the lower out-of-fold loss; ties by name.
    private func choosePreset(
        _ preset: Policy.Preset, models: [ModelVersionID], inputs: Inputs, monitor: Monitor
    ) throws -> (preset: Policy.Preset, losses: [String: Double], coalitions: Coalitions) {
        let presets = preset == .auto ? [Policy.Preset.small, .standard] : [preset]
        monitor.begin("preset", total: presets.count)
        let all = try presets.map { preset in
            let coalitions = try coalitions(inputs, preset: preset, scope: .all, monitor: monitor)
            return (preset: preset, loss: try coalitions.fit(models).metrics.logLoss, coalitions: coalitions)
        }
        let best = all.dropFirst().reduce(all[0]) { $1.loss < $0.loss ? $1 : $0 }
        let losses = preset == .auto ? Dictionary(uniqueKeysWithValues: all.map { ($0.preset.rawValue, $0.loss) }) : [:]
        return (best.preset, losses, best.coalitions)
    }

    private func foundingReason(_ result: FoundingSearch.Result, inputs: Inputs) throws -> String {
        let (members, best) = (result.members, result.best)
        var reason = "log-loss \(members.metrics.logLoss.decimals(4)) with \(members.members.count.counted("member")): "
        if members.members == best.members {
            reason += "the best"
        } else {
            let size = best.members.count.counted("member")
            reason += "the smallest not told from the best (\(best.metrics.logLoss.decimals(4)), \(size))"
        }
        reason += " of \(result.triedCount.counted("set")) tried within the budget of \(inputs.budget.summary)"
        let singles = try inputs.models.map { model in
            let predictions = try inputs.candidate(model).predictions
            let metrics = ClassificationMetrics(
                averageOf: [predictions], rows: inputs.rows(.all), validation: inputs.validation)
            return (model: model, loss: metrics.logLoss)
        }
        guard let single = singles.min(by: { ($0.loss, $0.model) < ($1.loss, $1.model) }) else { return reason }
        return reason + "; best single model \(single.model) \(single.loss.decimals(4))"
    }

    // MARK: Admission

    private func admit(
        _ challenger: ModelVersionID, request: EvaluationRequest, inputs: Inputs, monitor: Monitor
    ) throws -> EvaluationOutcome {
        let fixed = request.policy.preset == .auto ? request.preset ?? .auto : request.policy.preset
        let coalitions = try coalitions(inputs, preset: fixed, scope: request.figures, monitor: monitor)
        let searched = request.policy.admission == .gated ? try coalitions.sampled() : coalitions
        var report = EvaluationReport(request, coalitions: coalitions, searched: searched, library: library)
        report.preset = fixed
        let champion = request.champion.sorted()
        if request.policy.admission == .gated, request.ledger.isCoolingDown(challenger) {
            let last = request.ledger.coolDowns[challenger.name, default: 0]
            let left = (last + 1 - request.ledger.evaluations).counted("evaluation")
            report.verdict = .holdCooldown
            report.reason = "\(challenger.name) was dropped and cools down for \(left) more; submit it again then"
            return try report.outcome()
        }
        report.closeness = try closeness(of: challenger, inputs: inputs)
        let duplicate = report.closeness.first {
            $0.meanTotalVariation <= Self.duplicateTotalVariation && champion.contains($0.model)
        }
        if let duplicate {
            _ = try coalitions.fit(champion)  // For its figures: every evaluation reports the ensemble's.
            report.verdict = .rejectDuplicate
            report.reason = "its predictions are those of member \(duplicate.model)"
            return try report.outcome()
        }
        guard inputs.fitsBudget([challenger]) else {
            _ = try coalitions.fit(champion)
            report.verdict = .rejectBudget
            report.reason = "it does not fit the budget of \(inputs.budget.summary) even alone"
            return try report.outcome()
        }
        let trial = AdmissionTrial(
            request: request, challenger: challenger, champion: champion, coalitions: coalitions, searched: searched,
            monitor: monitor)
        let judgement = try request.policy.admission.rule.judge(trial)
        report.take(judgement)
        try report.addUtilities(of: trial.searched.fit(trial.judged), monitor: monitor)
        // Where nothing was sampled both are fitted by now.
        _ = try coalitions.fit(champion)
        _ = try coalitions.fit(judgement.membersAfter)
        return try report.outcome()
    }

    /// Who the challenger is close to, in model order; models that share no row with it are not compared.
    private func closeness(of challenger: ModelVersionID, inputs: Inputs) throws -> [Evidence.Closeness] {
        let predictions = try inputs.candidate(challenger).predictions
        return try inputs.models.filter { $0 != challenger }.compactMap { model in
            guard let distance = predictions.meanTotalVariation(to: try inputs.candidate(model).predictions),
                distance <= Self.closeTotalVariation
            else { return nil }
            return Evidence.Closeness(model: model, meanTotalVariation: distance)
        }
    }
}

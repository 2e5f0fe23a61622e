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

    /// Creates an evaluator.
    ///
    /// - Parameters:
    ///   - library: fits the combiners.
    ///   - threads: folds fitted at the same time; the results do not depend on it.
    public init(library: LightGBM, threads: Int = 1) {
        self.library = library
        self.threads = threads
    }

    /// Makes an evaluation. It blocks its thread for seconds to minutes.
    ///
    /// The utilities of an admission are of the judged set, members and challenger, whatever the verdict; those of a
    /// founding are of the members founded. A duplicate, or a challenger that no budget admits, is refused without any
    /// fit: without utilities, and with the figures that need none.
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
        return try admit(challenger, request: request, inputs: inputs, monitor: monitor)
    }

    // MARK: Founding

    private func found(_ request: EvaluationRequest, inputs: Inputs, monitor: Monitor) throws -> EvaluationOutcome {
        let (preset, losses, coalitions) = try choosePreset(request.policy.preset, inputs: inputs, monitor: monitor)
        var search = FoundingSearch(
            inputs, coalitions: coalitions, parsimony: request.policy.parsimony, monitor: monitor)
        var report = EvaluationReport(request, inputs: inputs, library: library, preset: preset)
        report.presetLosses = losses
        if let result = try search.run() {
            let priorLoss = try coalitions.logLoss(of: [])
            let loss = result.members.metrics.logLoss
            if loss < priorLoss {
                report.verdict = .admit
                report.membersAfter = result.members.members
                report.reason = try foundingReason(result, inputs: inputs)
                try report.addUtilities(of: result.members, coalitions: coalitions, monitor: monitor)
            } else {
                report.verdict = .rejectNoGain
                report.reason =
                    "the best set's log-loss \(loss.decimals(4)) is no better than the class prior's "
                    + priorLoss.decimals(4)
            }
        } else {
            report.verdict = .rejectBudget
            report.reason = "no set of candidates fits the budget of \(inputs.budget.summary)"
        }
        return try report.outcome(coalitions)
    }

    /// The preset named, or the one that fits all candidates with the lower out-of-fold loss; ties by name.
    private func choosePreset(
        _ preset: Policy.Preset, inputs: Inputs, monitor: Monitor
    ) throws -> (preset: Policy.Preset, losses: [String: Double], coalitions: Coalitions) {
        let presets = preset == .auto ? [Policy.Preset.small, .standard] : [preset]
        monitor.begin("preset", total: presets.count)
        let all = try presets.map { preset in
            let coalitions = try Coalitions(
                inputs, preset: preset, library: library, threads: threads, monitor: monitor)
            return (preset: preset, loss: try coalitions.fit(inputs.models).metrics.logLoss, coalitions: coalitions)
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
            return (model: model, loss: ClassificationMetrics(predictions, validation: inputs.validation).logLoss)
        }
        guard let single = singles.min(by: { ($0.loss, $0.model) < ($1.loss, $1.model) }) else { return reason }
        return reason + "; best single model \(single.model) \(single.loss.decimals(4))"
    }

    // MARK: Admission

    private func admit(
        _ challenger: ModelVersionID, request: EvaluationRequest, inputs: Inputs, monitor: Monitor
    ) throws -> EvaluationOutcome {
        let fixed = request.policy.preset == .auto ? request.preset ?? .auto : request.policy.preset
        let coalitions = try Coalitions(inputs, preset: fixed, library: library, threads: threads, monitor: monitor)
        var report = EvaluationReport(request, inputs: inputs, library: library, preset: fixed)
        report.closeness = try closeness(of: challenger, inputs: inputs)
        let champion = request.champion.sorted()
        let duplicate = report.closeness.first {
            $0.meanTotalVariation <= Self.duplicateTotalVariation && champion.contains($0.model)
        }
        if let duplicate {
            _ = try coalitions.fit(champion)  // For its figures: every evaluation reports the ensemble's.
            report.verdict = .rejectDuplicate
            report.reason = "its predictions are those of member \(duplicate.model)"
            return try report.outcome(coalitions)
        }
        guard inputs.fitsBudget([challenger]) else {
            _ = try coalitions.fit(champion)
            report.verdict = .rejectBudget
            report.reason = "it does not fit the budget of \(inputs.budget.summary) even alone"
            return try report.outcome(coalitions)
        }
        let trial = AdmissionTrial(
            challenger: challenger, champion: champion, inputs: inputs, coalitions: coalitions, monitor: monitor)
        let judgement = try request.policy.admission.rule.judge(trial)
        report.verdict = judgement.verdict
        report.reason = judgement.reason
        report.membersAfter = judgement.membersAfter
        report.ranking = judgement.ranking
        report.utilities = judgement.utilities
        try report.addUtilities(of: coalitions.fit(trial.judged), coalitions: coalitions, monitor: monitor)
        // The champion is the judged set without the challenger, so it is fitted by now; the members after need not be.
        _ = try coalitions.fit(champion)
        _ = try coalitions.fit(judgement.membersAfter)
        return try report.outcome(coalitions)
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

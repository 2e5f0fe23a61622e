import EnsembleModel

/// The published rule: retrain over members and challenger, rank them by `shapley_abs` on held-out rows, keep the best
/// that the budget allows.
///
/// The ranking is walked from the top and whoever breaks the budget is skipped, so a cheap model may stay below a dear
/// one that leaves.
struct ShapleyTopK: AdmissionRule {
    func judge(_ trial: AdmissionTrial) throws -> Judgement {
        trial.monitor.begin("cross-fit", total: 1)
        let fit = try trial.coalitions.fit(trial.judged)
        let utility = try HeldOutUtility(trial.inputs, members: fit.members)
            .shapley(trial.coalitions.models(of: fit), over: trial.coalitions.rows, monitor: trial.monitor)
        let scores = utility.abs.sorted { ($1.value, $0.model) < ($0.value, $1.model) }
        var kept: [ModelVersionID] = []
        for score in scores where trial.inputs.fitsBudget(kept + [score.model]) { kept.append(score.model) }

        let isKept = kept.contains(trial.challenger)
        let lost = scores.filter { !kept.contains($0.model) && $0.model != trial.challenger }
        return Judgement(
            verdict: !isKept ? .rejectNoGain : lost.isEmpty ? .admit : .admitRetire,
            reason: reason(trial, scores: scores, isKept: isKept, lost: lost),
            membersAfter: isKept ? kept.sorted() : trial.champion,
            ranking: scores.map { Evidence.Rank(model: $0.model, value: $0.value, kept: kept.contains($0.model)) },
            utilities: utility.abs + utility.signed)
    }

    private func reason(_ trial: AdmissionTrial, scores: [UtilityScore], isKept: Bool, lost: [UtilityScore]) -> String {
        let position = scores.firstIndex { $0.model == trial.challenger } ?? 0
        let rank =
            "ranks \((position + 1).ordinal) of \(scores.count) by shapley_abs (\(scores[position].value.decimals(3)))"
        let budget = trial.inputs.budget.summary
        guard isKept else { return "\(rank); those ranked higher leave no room for it in the budget of \(budget)" }
        guard !lost.isEmpty else { return "\(rank) and fits the budget of \(budget)" }
        let leaving = lost.map { "\($0.model) (\($0.value.decimals(3)))" }.joined(separator: ", ")
        return "\(rank) and fits the budget of \(budget); \(leaving) \(lost.count == 1 ? "leaves" : "leave")"
    }
}

import EnsembleModel

@testable import RegistryStore

extension RegistryStore.Claim {
    /// An outcome that fits the claim, with made-up figures: the store looks at shapes and digests, not at quality.
    func outcome(_ verdict: Verdict, retiring names: Set<String> = []) throws -> EvaluationOutcome {
        let models = candidates.map(\.model)
        let retired = champion.filter { names.contains($0.description) }
        let after = verdict.isAdmission ? models.filter { !retired.contains($0) } : champion
        let combiner =
            verdict.isAdmission
            ? Combiner(
                text: Array("tree of \(after) at \(sequence + 1)".utf8), treeCount: 3,
                golden: GoldenRows(inputs: [[0.5]], rawScores: [[0.25]])) : nil
        let figures = ClassificationMetrics(accuracy: 0.75, macroF1: 0.7, weightedF1: 0.74, logLoss: 0.1 + 0.2)
        let metrics =
            [MetricsRow(subject: .ensemble, metrics: figures)]
            + models.map { .init(subject: .model, model: $0, metrics: figures) }
        let utilities = models.flatMap { model in
            [
                UtilityScore(model: model, kind: .sage, value: 0.25),
                UtilityScore(model: model, kind: .shapleyAbs, value: 0.1 + 0.2, standardError: 0.01),
            ]
        }
        var ledgerAfter = ledger
        let spends = [.admit, .admitRetire, .rejectNoGain, .rejectGuardrail].contains(verdict)
        if spends, policy.admission == .gated, !champion.isEmpty {
            ledgerAfter.spendTest(policy.gate, submitter: submitter)
        }
        let waits = verdict.isAdmission && policy.approval != .nobody
        switch kind {
        case .founding, .replay: if verdict.isAdmission, !waits { ledgerAfter.found(after) }
        case .admission where waits: ledgerAfter.completeWaiting(verdict)
        case .admission: ledgerAfter.complete(verdict, before: champion, after: after, coolDown: 5)
        }
        let evidence = Evidence(
            kind: kind, challenger: challenger, validation: validation, epochSalt: epochSalt, rowCount: 4,
            groupCount: 2,
            split: .init(openRows: 1, openGroups: 1, sealedRows: 3, sealedGroups: 1, searchedRows: 4), figures: .all,
            submitter: submitter,
            inputs: candidates.map { .init(model: $0.model, predictions: $0.predictions, cost: $0.cost) },
            policy: policy,
            policyVersion: policyVersion, library: .init(name: "lightgbm", version: "4.7.0", sha256: .of("library")),
            preset: preset ?? .small, presetLosses: [:], closeness: [], tried: [], search: [], screen: nil,
            quantile: nil, ranking: [], membersBefore: champion, membersAfter: after, verdict: verdict,
            reason: "made up", warnings: [], ledgerBefore: ledger, ledgerAfter: ledgerAfter, metrics: metrics,
            utilities: utilities, foldModels: [], combiner: combiner?.digest, commitment: nil)
        return EvaluationOutcome(
            verdict: verdict, reason: "made up", membersBefore: champion, membersAfter: after, retired: retired,
            preset: preset ?? .small, metrics: metrics, utilities: utilities, evidence: evidence,
            sealed: nil, ledger: ledgerAfter, retiredLoss: retiredLoss + 0.001 * Double(retired.count),
            combiner: combiner)
    }
}

import EnsembleModel

/// The gate: a challenger is let in when the best set with it is better than the champion on sealed rows, by a test
/// that holds however often it is repeated in an epoch, and nothing that is watched is worse.
///
/// Everything that takes time is done before sealed rows are looked at, so that not even the progress tells how the
/// test went; reasons name figures of open rows only.
struct GatedAdmission: AdmissionRule {
    /// Fewest sealed groups of a test.
    static let minimumGroups = 30

    func judge(_ trial: AdmissionTrial) throws -> Judgement {
        var search = MemberSearch(trial.searched, challenger: trial.challenger, monitor: trial.monitor)
        let budget = trial.inputs.budget.summary
        guard let members = try search.run(trial.judged) else {
            return Judgement(
                verdict: .rejectBudget, reason: "no set with it fits the budget of \(budget)",
                membersAfter: trial.champion, search: search.steps)
        }
        trial.monitor.begin("cross-fit", total: 2)
        let champion = try trial.coalitions.fit(trial.champion)
        let found = try trial.coalitions.fit(members)
        let screen = Comparison(champion, found, rows: trial.inputs.openRows, validation: trial.inputs.validation)
        var judgement = Judgement(
            verdict: .rejectNoGain, reason: "", membersAfter: trial.champion, search: search.steps, screen: screen)
        let gain = "\(screen.gain.decimals(4)) ± \(screen.standardError.decimals(4)) nats on open rows"
        guard screen.gain > 0 else {
            judgement.reason = "it brings no gain: \(gain); no gate test was spent"
            return judgement
        }
        if let hold = hold(trial) {
            (judgement.verdict, judgement.reason) = hold
            return judgement
        }
        try decide(&judgement, champion: champion, found: found, gain: gain, trial: trial)
        return judgement
    }

    /// Why no test can be made now.
    private func hold(_ trial: AdmissionTrial) -> (Verdict, String)? {
        let (ledger, gate) = (trial.request.ledger, trial.request.policy.gate)
        let groups = trial.inputs.sealedGroupCount
        if ledger.testsLeft(gate) == 0 {
            return (
                .holdEpochExhausted,
                "the epoch's \(gate.testsPerEpoch) gate tests are spent; start a new epoch with fresh labelled rows"
            )
        }
        if ledger.testsLeft(gate, submitter: trial.request.submitter) == 0 {
            let quota = (gate.testsPerSubmitter ?? 0).counted("gate test")
            return (.holdQuota, "\(trial.request.submitter) has spent the \(quota) that one submitter has in an epoch")
        }
        if groups < Self.minimumGroups {
            return (
                .holdTooFewGroups,
                "the validation set has \(groups.counted("sealed group")); a test needs \(Self.minimumGroups)"
            )
        }
        return nil
    }

    private func decide(
        _ judgement: inout Judgement, champion: Coalitions.Fit, found: Coalitions.Fit, gain: String,
        trial: AdmissionTrial
    ) throws {
        let (inputs, gate) = (trial.inputs, trial.request.policy.gate)
        let candidates = try retirementCandidates(found, trial: trial)
        let test = SealedEvidence.Gate(
            comparison: Comparison(champion, found, rows: inputs.sealedRows, validation: inputs.validation),
            alpha: gate.alphaPerTest,
            quantile: StudentT(degrees: inputs.sealedGroupCount - 1).upperQuantile(gate.alphaPerTest),
            minimumGain: gate.minimumGain * champion.meanLoss(over: inputs.sealedRows),
            championLoss: champion.meanLoss(over: inputs.sealedRows))
        var sealed = SealedFindings(gate: test, tested: found)
        defer { judgement.sealed = sealed }
        let left = trial.champion.filter { !found.members.contains($0) }
        guard test.passed else {
            judgement.reason = "its gain (\(gain)) did not hold on sealed rows"
            return
        }
        sealed.guardrails = try Guardrails(trial, champion: champion, found: found).check()
        if let broken = sealed.guardrails.first(where: { !$0.passed }) {
            judgement.verdict = .rejectGuardrail
            judgement.reason = "better over all (\(gain)), but worse on guardrail \(broken.name)"
            return
        }
        judgement.membersAfter = found.members
        judgement.verdict = left.isEmpty ? .admit : .admitRetire
        judgement.reason = "a gain that holds on sealed rows (\(gain))"
        if !left.isEmpty {
            judgement.reason += "; to fit the budget of \(inputs.budget.summary), \(Self.leaving(left))"
        }
        guard left.isEmpty else { return }
        let retirement = Retirement(trial, found: found, candidates: candidates)
        sealed.retirements = retirement.bounds()
        if let obsolete = retirement.obsolete(among: sealed.retirements) {
            judgement.membersAfter = found.members.filter { $0 != obsolete.model }
            judgement.verdict = .admitRetire
            judgement.reason += "; \(Self.leaving([obsolete.model])), made obsolete by it"
            sealed.retiredLoss = max(0, obsolete.lossIncrease)
        }
    }

    /// The members that may be made obsolete, each with the fit without it.
    private func retirementCandidates(
        _ found: Coalitions.Fit, trial: AdmissionTrial
    ) throws -> [(model: ModelVersionID, without: Coalitions.Fit)] {
        let (ledger, tenure) = (trial.request.ledger, trial.request.policy.retirement.tenure)
        guard found.members == trial.judged, found.members.count > 1 else { return [] }
        // The sample's SAGE ranks the members; their losses are compared on all rows.
        let lowest = try trial.searched.lowestSage(of: trial.searched.fit(found.members))
            .filter { $0 != trial.challenger && ledger.tenure(of: $0) >= tenure }
            .prefix(FoundingSearch.width)
        trial.monitor.begin("retirement", total: lowest.count)
        return try lowest.map { model in
            (model, try trial.coalitions.fit(found.members.filter { $0 != model }))
        }
    }

    private static func leaving(_ models: [ModelVersionID]) -> String {
        models.map(\.description).joined(separator: ", ") + (models.count == 1 ? " leaves" : " leave")
    }
}

extension SealedEvidence.Guardrail {
    /// Its name for people.
    var name: String { slice.map { "\(kind.rawValue) of '\($0)'" } ?? kind.rawValue }
}

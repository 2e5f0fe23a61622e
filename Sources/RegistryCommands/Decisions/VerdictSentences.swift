import EnsembleModel

/// A verdict in plain sentences, for somebody who sees one for the first time.
struct VerdictSentences {
    private let decision: DecisionRecord
    private let evidence: Evidence
    private var policy: Policy { evidence.policy }
    private var challenger: String { evidence.challenger?.description ?? "" }

    init(_ report: DecisionReport) {
        decision = report.decision
        evidence = report.evidence
    }

    /// One sentence or thought each.
    var all: [String] {
        var lines = [headline, "Why: \(why)."] + ApprovalText.lines(decision)
        if evidence.kind == .founding || evidence.membersBefore.isEmpty {
            lines += founding
        } else if policy.admission == .gated {
            lines += gated
        } else {
            lines += ranked
        }
        lines += leaving
        lines += evidence.warnings.map { "Look at this: \(plain($0))." }
        return lines + [sealing]
    }

    // MARK: What was decided

    private var headline: String {
        let name = decision.ensemble
        if let approval = decision.approval, approval.state != .approved {
            return "\(proposal) \(ApprovalText.fate(approval))."
        }
        if evidence.kind == .founding {
            return decision.verdict.isAdmission
                ? "\(name) is founded with \(count(decision.membersAfter, "member")): \(list(decision.membersAfter))."
                : "\(name) is not founded."
        }
        switch decision.verdict {
        case .admit where decision.membersBefore.isEmpty: return "\(challenger) founds \(name)."
        case .admit: return "\(challenger) joins \(name); nobody leaves."
        case .admitRetire: return "\(challenger) joins \(name); \(list(decision.retired)) \(leave) it."
        case .rejectDuplicate, .rejectBudget, .rejectNoGain, .rejectGuardrail:
            return "\(challenger) does not join \(name)."
        case .holdCooldown, .holdQuota, .holdEpochExhausted, .holdTooFewGroups:
            return "\(challenger) is held: nothing was decided on its merits, and it may be submitted again."
        }
    }

    /// What people are asked to approve of.
    private var proposal: String {
        let name = decision.ensemble
        guard !decision.membersBefore.isEmpty else {
            return "The founding of \(name) with \(count(decision.membersAfter, "member")) "
                + "(\(list(decision.membersAfter)))"
        }
        let place = decision.retired.isEmpty ? "" : " in place of \(list(decision.retired))"
        return "\(evidence.kind == .founding ? "The new founding" : "\(challenger)'s joining") of \(name)\(place)"
    }

    private var leave: String { decision.retired.count == 1 ? "leaves" : "leave" }

    /// The reason without the warnings, which have lines of their own.
    private var why: String {
        var reason = decision.reason
        for warning in evidence.warnings.reversed() where reason.hasSuffix("; " + warning.message) {
            reason.removeLast(warning.message.count + 2)
        }
        return reason
    }

    private func plain(_ warning: Evidence.Warning) -> String {
        warning.message.hasPrefix("warning: ") ? String(warning.message.dropFirst(9)) : warning.message
    }

    // MARK: Founding

    private var founding: [String] {
        var lines = [
            "\(count(evidence.inputs, "candidate")), \(count(evidence.tried, "set")) fitted, by out-of-fold log-loss "
                + "over all \(evidence.rowCount) rows (\(evidence.groupCount) groups): each row is scored by a "
                + "combiner that did not see its group."
        ]
        let losses = evidence.presetLosses.sorted { ($0.value, $0.key) < ($1.value, $1.key) }
        if losses.count > 1 {
            let figures = losses.map { "\($0.key) \(Format.number($0.value))" }.joined(separator: ", ")
            lines.append("The combiner's preset is \(evidence.preset.rawValue): log-loss of all candidates \(figures).")
        }
        return lines
    }

    // MARK: The published rule

    private var ranked: [String] {
        let rows = "all \(evidence.rowCount) rows (\(evidence.groupCount) groups)"
        guard !evidence.ranking.isEmpty else { return ["Figures are over \(rows)."] }
        return [
            "The rule shapley-top-k fitted the champion (\(list(evidence.membersBefore))) together with \(challenger), "
                + "ranked them by shapley_abs over \(rows), and kept the best that the budget allows.",
            "It is offered for comparison and small data: a useless model's rank is low but never nothing, so noise "
                + "gets in while there is room.",
        ]
    }

    // MARK: The gate

    private var gated: [String] {
        let split = evidence.split
        let rows =
            "Of \(evidence.rowCount) rows, \(split.openRows) (\(split.openGroups) groups) are open and give the "
            + "figures below; the other \(split.sealedRows) (\(split.sealedGroups) groups) are sealed: they decide, "
            + "and only auditors see their figures."
        return search + comparison + [rows] + test
    }

    /// The set that was compared with the champion.
    private var found: [ModelVersionID] {
        evidence.search.last?.chosen ?? (evidence.membersBefore + (evidence.challenger.map { [$0] } ?? [])).sorted()
    }

    private var search: [String] {
        guard let first = evidence.search.first else { return [] }
        let sets = Set(evidence.search.flatMap { $0.options.map(\.members) }).count
        let out = first.from.filter { !found.contains($0) }
        return [
            "Champion and \(challenger) together exceed the budget: of \(count(sets, "smaller set")) tried on open "
                + "rows the best leaves out \(list(out))."
        ]
    }

    private var comparison: [String] {
        guard let screen = evidence.screen else { return [] }
        let split = evidence.split
        var lines = [
            "Compared: the champion (\(list(evidence.membersBefore))) against \(list(found)), by out-of-fold log-loss: "
                + "each row is scored by a combiner that did not see its group."
        ]
        var gain = "On open rows the second set's log-loss is \(screen.gain > 0 ? "lower" : "no lower"): gain "
        gain += "\(number(screen.gain)) nats a row, standard error \(number(screen.standardError))"
        if let interval = screen.interval95(groupCount: split.openGroups) {
            gain += ", 95 % interval \(number(interval.low)) to \(number(interval.high))"
        }
        lines.append(gain + ".")
        return lines
    }

    private var test: [String] {
        let (gate, ledger) = (policy.gate, evidence.ledgerAfter)
        // As it was then: the figures of now are those of `registry ensembles show`.
        let tests = ledger.testsLeft(gate)
        var left = "\(tests) \(tests == 1 ? "was" : "were") left in this epoch"
        if gate.testsPerSubmitter != nil {
            left += ", \(ledger.testsLeft(gate, submitter: evidence.submitter)) of them for \(evidence.submitter)"
        }
        guard let quantile = evidence.quantile else { return ["No gate test was spent; \(left)."] }
        let alpha = "\(shortest(gate.alphaPerTest)) = alpha \(shortest(gate.alpha)) / \(gate.testsPerEpoch) tests"
        var lines = [
            "The gate needed gain / standard error of \(Format.number(quantile, places: 3)) or more on sealed rows "
                + "(Student's t, error probability \(alpha)), and a gain of \(percent(gate.minimumGain)) of the "
                + "champion's log-loss or more: \(passedGate ? "passed" : "not passed").",
            "It was gate test \(ledger.tests) of this epoch; after it \(left).",
        ]
        if passedGate { lines.append(guardrails) }
        return lines
    }

    private var passedGate: Bool { decision.verdict.isAdmission || decision.verdict == .rejectGuardrail }

    private var guardrails: String {
        let limits = policy.guardrails
        func meaning(_ kind: SealedEvidence.Guardrail.Kind) -> String {
            switch kind {
            case .sliceLoss:
                "no slice's log-loss may rise by more than \(percent(limits.sliceLoss)) where the rise is significant"
            case .brierScore: "the Brier score may not rise by \(shortest(limits.brierZ)) standard errors or more"
            case .calibration:
                "the calibration error may not rise by more than \(shortest(limits.calibrationIncrease)) to above "
                    + shortest(limits.calibrationLimit)
            case .macroF1: "the macro-F1 may not fall by more than \(shortest(limits.macroF1Drop))"
            case .populationStability:
                "the population stability index of the predicted classes' shares must stay below "
                    + shortest(limits.populationStability)
            }
        }
        let kinds = SealedEvidence.Guardrail.Kind.allCases
        if decision.verdict == .rejectGuardrail,
            let kind = kinds.first(where: { why.contains("guardrail \($0.rawValue)") })
        {
            return "Then a guardrail on sealed rows refused it: \(kind.rawValue), \(meaning(kind))."
        }
        return "Then all guardrails on sealed rows held: " + kinds.map(meaning).joined(separator: "; ") + "."
    }

    // MARK: Who leaves, and what is sealed

    private var leaving: [String] {
        guard !decision.retired.isEmpty else { return [] }
        guard policy.admission == .gated else {
            return ["\(list(decision.retired)) \(leave): the models ranked higher take up the budget."]
        }
        var lines = decision.retired.map { model in
            found.contains(model)
                ? "\(model) was made obsolete: without it the loss on sealed rows rises by less than "
                    + "\(percent(policy.retirement.lossIncrease)), by an upper bound at error probability "
                    + "\(shortest(policy.retirement.alpha))."
                : "\(model) leaves because the best set within the budget does without it."
        }
        if policy.coolDown > 0, !ApprovalText.isUnpublished(decision) {
            let names = Set(decision.retired.map(\.name)).sorted().joined(separator: ", ")
            lines.append("New versions of \(names) are held for \(count(policy.coolDown, "evaluation")).")
        }
        return lines
    }

    private var sealing: String {
        if let commitment = evidence.commitment {
            return "What sealed rows said is bound by the commitment sha256 \(commitment); auditors see it with "
                + "`registry decisions show \(decision.id) --sealed`."
        }
        guard evidence.figures == .all else { return "Sealed rows were not asked." }
        return "Nothing is sealed: the figures are over all rows, those that the choice was made on."
    }

    // MARK: Words

    private func list(_ models: [ModelVersionID]) -> String {
        models.isEmpty ? "nobody" : models.map(\.description).joined(separator: ", ")
    }

    private func count(_ items: [some Any], _ noun: String) -> String { count(items.count, noun) }

    private func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }

    private func number(_ value: Double) -> String { Format.number(value) }

    /// All digits that a switch was given with.
    private func shortest(_ value: Double) -> String {
        let text = "\(value)"
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }

    private func percent(_ share: Double) -> String {
        shortest((share * 1e8).rounded() / 1e6) + " %"
    }
}

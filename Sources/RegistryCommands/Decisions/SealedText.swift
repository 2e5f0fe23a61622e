import EnsembleModel

/// What is said of sealed rows, to auditors.
enum SealedText {
    /// The gate in words, then guardrails, retirement, metrics and losses as tables.
    static func parts(_ sealed: SealedEvidence, _ report: DecisionReport) -> [String] {
        var parts = [gate(sealed, report)]
        if !sealed.guardrails.isEmpty { parts.append(guardrails(sealed.guardrails)) }
        if !sealed.retirements.isEmpty { parts.append(retirements(sealed.retirements)) }
        parts.append(DecisionText.metrics(sealed.metrics, over: .sealed))
        parts.append(losses(sealed.losses))
        return parts
    }

    private static func gate(_ sealed: SealedEvidence, _ report: DecisionReport) -> String {
        let gate = sealed.gate
        let split = report.evidence.split
        func needed(_ isReached: Bool) -> String { isReached ? "reached" : "not reached" }
        return [
            "For auditors, on the \(split.sealedRows) sealed rows (\(split.sealedGroups) groups):",
            "Gain \(Format.number(gate.comparison.gain, places: 5)) nats a row, standard error "
                + "\(Format.number(gate.comparison.standardError, places: 5)); the champion's log-loss is "
                + "\(Format.number(gate.championLoss, places: 5)).",
            "Gain / standard error \(Format.number(gate.comparison.z, places: 3)), needed "
                + "\(Format.number(gate.quantile, places: 3)): \(needed(gate.comparison.z >= gate.quantile)).",
            "Gain \(Format.number(gate.comparison.gain, places: 5)), needed "
                + "\(Format.number(gate.minimumGain, places: 5)): \(needed(gate.comparison.gain >= gate.minimumGain)).",
            "Loss given up by retirements in this epoch: \(Format.number(sealed.retiredLossBefore, places: 5)) nats "
                + "before, \(Format.number(sealed.retiredLossAfter, places: 5)) after.",
            "These figures have the digest that the open evidence commits to; nonce \(sealed.nonce).",
        ].map { $0 + "\n" }.joined()
    }

    private static func guardrails(_ guardrails: [SealedEvidence.Guardrail]) -> String {
        TextTable(
            columns: [
                .text("guardrail, sealed rows"), .number("before"), .number("after"), .number("standard error"),
                .text(""),
            ],
            rows: guardrails.map {
                [
                    $0.kind.rawValue + ($0.slice.map { " of '\($0)'" } ?? ""), figure($0.before), figure($0.after),
                    figure($0.standardError), $0.passed ? "held" : "REFUSED",
                ]
            }
        ).text
    }

    private static func retirements(_ members: [SealedEvidence.Retirement]) -> String {
        TextTable(
            columns: [
                .text("without, sealed rows"), .number("loss rises by"), .number("standard error"),
                .number("at most"), .text(""),
            ],
            rows: members.map {
                [
                    $0.model.description, figure($0.lossIncrease), figure($0.standardError), figure($0.upperBound),
                    $0.isObsolete ? "obsolete" : "needed",
                ]
            }
        ).text
    }

    private static func losses(_ sets: [Evidence.TriedSet]) -> String {
        TextTable(
            columns: [.text("set, sealed rows"), .number("log-loss")],
            rows: sets.map { [Format.models($0.members), figure($0.logLoss)] }
        ).text
    }

    private static func figure(_ value: Double?) -> String { value.map { Format.number($0, places: 5) } ?? "-" }
}

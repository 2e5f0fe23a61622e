import EnsembleModel
import RegistryClient

/// What is said of a decision: an explanation first, then the figures.
enum DecisionText {
    /// Sets shown of those that a founding tried.
    private static let shownSets = 10
    /// Classes and slices shown.
    private static let shownSegments = 8

    static func full(_ report: DecisionReport) -> String {
        let (decision, evidence) = (report.decision, report.evidence)
        var parts = [
            VerdictSentences(report).all.map { $0.withoutControls() + "\n" }.joined(), details(decision),
            metrics(evidence.metrics, over: evidence.figures),
        ]
        if !evidence.search.isEmpty {
            parts.append(search(evidence.search))
        } else if evidence.kind == .founding, !evidence.tried.isEmpty {
            parts.append(tried(evidence.tried))
        }
        if !evidence.ranking.isEmpty { parts.append(ranking(evidence.ranking)) }
        if !evidence.closeness.isEmpty { parts.append(closeness(evidence.closeness)) }
        if !evidence.utilities.isEmpty { parts.append(utilities(evidence.utilities)) }
        parts += segments(evidence.segments ?? [])
        if let sealed = report.sealed { parts += SealedText.parts(sealed, report) }
        return parts.joined(separator: "\n")
    }

    private static func details(_ decision: DecisionRecord) -> String {
        TextTable.details([
            ("decision", "\(decision.id), \(Format.date(decision.decidedAt)) UTC"),
            ("ensemble", decision.ensemble),
            ("model", decision.model?.description ?? "(\(decision.kind.rawValue))"),
            ("verdict", ApprovalText.verdict(decision)),
            ("rule", "\(decision.admission.rawValue), preset \(decision.preset.rawValue)"),
            ("policy", "version \(decision.policyVersion)"),
            ("members before", Format.models(decision.membersBefore)),
            ("members after", Format.models(decision.membersAfter)),
            ("retired", decision.retired.isEmpty ? nil : Format.models(decision.retired)),
            ("manifest", decision.sequence.map(String.init)),
            ("evidence", "sha256 \(decision.evidence)"),
        ])
    }

    /// Out-of-fold metrics, one row a model or combination; marked are the best model and what beats the ensemble.
    static func metrics(_ rows: [MetricsRow], over scope: RowScope) -> String {
        let ensemble = rows.last { $0.subject == .ensemble }?.metrics.logLoss
        let best = rows.filter { $0.subject == .model }.min { $0.metrics.logLoss < $1.metrics.logLoss }
        func note(_ row: MetricsRow) -> String {
            var notes: [String] = []
            if row == best { notes.append("best single") }
            if let ensemble, [.model, .average, .classPrior].contains(row.subject), row.metrics.logLoss <= ensemble {
                notes.append("BEATS THE ENSEMBLE")
            }
            return notes.joined(separator: ", ")
        }
        return TextTable(
            columns: [
                .text("out of fold, \(scope.rawValue) rows"), .number("accuracy"), .number("macro-F1"),
                .number("weighted-F1"), .number("log-loss"), .text(""),
            ],
            rows: rows.map { row in
                let subject = row.model?.description ?? row.subject.rawValue.replacing("_", with: " ")
                return [subject]
                    + [row.metrics.accuracy, row.metrics.macroF1, row.metrics.weightedF1, row.metrics.logLoss]
                    .map { Format.number($0) } + [note(row)]
            }
        ).text
    }

    /// The sets that a search within the budget compared, step by step.
    private static func search(_ steps: [Evidence.SearchStep]) -> String {
        TextTable(
            columns: [.number("step"), .text("tried, open rows"), .text("leaves out"), .number("log-loss"), .text("")],
            rows: steps.enumerated().flatMap { number, step in
                step.options.map { option in
                    [
                        "\(number + 1)", Format.models(option.members),
                        Format.models(step.from.filter { !option.members.contains($0) }),
                        Format.number(option.logLoss, places: 5), option.members == step.chosen ? "chosen" : "",
                    ]
                }
            }
        ).text
    }

    /// The best sets that a founding tried.
    private static func tried(_ sets: [Evidence.TriedSet]) -> String {
        let best = sets.sorted { $0.logLoss < $1.logLoss }.prefix(shownSets)
        let title = best.count < sets.count ? "best \(best.count) of \(sets.count) sets fitted" : "sets fitted"
        return TextTable(
            columns: [.text(title), .number("members"), .number("log-loss")],
            rows: best.map {
                [Format.models($0.members), "\($0.members.count)", Format.number($0.logLoss, places: 5)]
            }
        ).text
    }

    private static func ranking(_ ranks: [Evidence.Rank]) -> String {
        TextTable(
            columns: [.number("rank"), .text("model"), .number("shapley_abs"), .text("")],
            rows: ranks.enumerated().map { position, rank in
                [
                    "\(position + 1)", rank.model.description, Format.number(rank.value, places: 5),
                    rank.kept ? "kept" : "not kept",
                ]
            }
        ).text
    }

    private static func closeness(_ models: [Evidence.Closeness]) -> String {
        TextTable(
            columns: [.text("predictions close to"), .number("mean total variation")],
            rows: models.map { [$0.model.description, Format.number($0.meanTotalVariation, places: 6)] }
        ).text
    }

    /// Utilities, one row a model and one column a definition.
    static func utilities(_ scores: [UtilityScore]) -> String {
        let kinds = UtilityKind.allCases.filter { kind in scores.contains { $0.kind == kind } }
        var models: [ModelVersionID] = []
        for score in scores where !models.contains(score.model) { models.append(score.model) }
        return TextTable(
            columns: [.text("utility")] + kinds.map { .number($0.rawValue) },
            rows: models.map { model in
                [model.description]
                    + kinds.map { kind in
                        scores.first { $0.model == model && $0.kind == kind }.map(figure) ?? "-"
                    }
            }
        ).text
    }

    /// Where each model helps: one table for classes and one for slices, the largest of them.
    static func segments(_ all: [Evidence.Segment]) -> [String] {
        Evidence.Segment.Kind.allCases.compactMap { kind in
            let own = all.filter { $0.kind == kind }
            guard let models = own.first(where: { !$0.scores.isEmpty })?.scores.map(\.model) else { return nil }
            let least = own.map(\.rowCount).sorted(by: >).prefix(shownSegments).last ?? 0
            let shown = own.filter { $0.rowCount >= least }.prefix(shownSegments)
            let left = own.count - shown.count
            let title = "shapley_signed by \(kind.rawValue)" + (left > 0 ? ", \(left) more with --evidence" : "")
            return TextTable(
                columns: [.text(title)] + shown.map { .number($0.name.withoutControls()) },
                rows: [["rows"] + shown.map { $0.rowCount > 0 ? "\($0.rowCount)" : "none" }]
                    + models.map { model in
                        [model.description]
                            + shown.map { $0.scores.first { $0.model == model }.map { figure($0, places: 3) } ?? "-" }
                    }
            ).text
        }
    }

    private static func figure(_ score: UtilityScore) -> String { figure(score, places: 5) }

    private static func figure(_ score: UtilityScore, places: Int) -> String {
        Format.number(score.value, places: places)
            + (score.standardError.map { " ±" + Format.number($0, places: places) } ?? "")
    }
}

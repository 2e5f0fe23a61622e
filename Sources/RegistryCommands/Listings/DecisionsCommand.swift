import ArgumentParser
import EnsembleModel
import RegistryAPI
import RegistryClient

/// Everything about verdicts.
struct DecisionsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "decisions", abstract: "See verdicts and what is behind them.",
        subcommands: [List.self, Show.self])

    /// Lists an ensemble's.
    struct List: RegistryRequest {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "Show an ensemble's, newest first.")

        @Argument(help: "Ensemble.") var name: String
        @OptionGroup var page: PageOptions
        @OptionGroup(title: "Connection") var connection: ConnectionOptions

        func run(_ client: RegistryClient, _ output: Output) async throws {
            let page = try await page.collect { try await client.decisions(ensemble: name, after: $0, limit: $1) }
            try output.emit(page) { page in
                guard !page.items.isEmpty else { return "\(name) has no decisions yet." }
                return TextTable(
                    columns: [
                        .number("decision"), .text("when (UTC)"), .text("model"), .text("verdict"), .text("retired"),
                        .text("reason"),
                    ],
                    rows: page.items.map {
                        [
                            "\($0.id)", Format.date($0.decidedAt), $0.model?.description ?? "(\($0.kind.rawValue))",
                            $0.verdict.rawValue, Format.models($0.retired), $0.reason,
                        ]
                    }
                ).text
            }
        }
    }

    /// Shows one.
    struct Show: RegistryRequest {
        static let configuration = CommandConfiguration(
            commandName: "show", abstract: "See one with its metrics and utilities, or its whole evidence.")

        @Argument(help: "Number of the decision.") var id: Int64
        @Flag(help: "Write the evidence as JSON.") var evidence = false
        @OptionGroup(title: "Connection") var connection: ConnectionOptions

        func run(_ client: RegistryClient, _ output: Output) async throws {
            if evidence {
                try Output(console: output.console, json: true).emit(try await client.evidence(decision: id)) { _ in ""
                }
            } else {
                try output.emit(try await client.decision(id), text: DecisionText.full)
            }
        }
    }
}

/// What is said of a decision.
enum DecisionText {
    /// Verdict, reason, membership, metrics and utilities.
    static func full(_ decision: DecisionRecord) -> String {
        var text = TextTable.details([
            ("decision", "\(decision.id), \(Format.date(decision.decidedAt)) UTC"),
            ("ensemble", decision.ensemble),
            ("model", decision.model?.description ?? "(\(decision.kind.rawValue))"),
            ("verdict", decision.verdict.rawValue),
            ("reason", decision.reason),
            ("rule", "\(decision.admission.rawValue), preset \(decision.preset.rawValue)"),
            ("policy", "version \(decision.policyVersion)"),
            ("members before", Format.models(decision.membersBefore)),
            ("members after", Format.models(decision.membersAfter)),
            ("retired", decision.retired.isEmpty ? nil : Format.models(decision.retired)),
            ("manifest", decision.sequence.map(String.init)),
            ("evidence", "sha256 \(decision.evidence)"),
        ])
        if !decision.metrics.isEmpty { text += "\n" + metrics(decision.metrics) }
        if !decision.utilities.isEmpty { text += "\n" + utilities(decision.utilities) }
        return text
    }

    /// Out-of-fold metrics, one row a model or combination.
    static func metrics(_ rows: [MetricsRow]) -> String {
        TextTable(
            columns: [
                .text("out of fold"), .number("accuracy"), .number("macro-F1"), .number("weighted-F1"),
                .number("log-loss"),
            ],
            rows: rows.map { row in
                let subject = row.model?.description ?? row.subject.rawValue.replacing("_", with: " ")
                return [subject]
                    + [row.metrics.accuracy, row.metrics.macroF1, row.metrics.weightedF1, row.metrics.logLoss]
                    .map { Format.number($0) }
            }
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

    private static func figure(_ score: UtilityScore) -> String {
        Format.number(score.value, places: 5) + (score.standardError.map { " ±" + Format.number($0, places: 5) } ?? "")
    }
}

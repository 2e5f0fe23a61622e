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
                        .text("warnings"), .text("reason"),
                    ],
                    rows: page.items.map {
                        [
                            "\($0.id)", Format.date($0.decidedAt), $0.model?.description ?? "(\($0.kind.rawValue))",
                            ApprovalText.verdict($0), Format.models($0.retired), warnings($0), $0.reason,
                        ]
                    }
                ).text
            }
        }

        private func warnings(_ decision: DecisionRecord) -> String {
            decision.warnings.isEmpty ? "-" : decision.warnings.map(\.kind.rawValue).joined(separator: " ")
        }
    }

    /// Shows one.
    struct Show: RegistryRequest {
        static let configuration = CommandConfiguration(
            commandName: "show", abstract: "Explain one in words and figures, or write its whole evidence.",
            discussion: """
                What sealed rows said is for the scope audit only: whoever sees their figures can climb on them. Every \
                reading is on record.
                """)

        @Argument(help: "Number of the decision.") var id: Int64
        @Flag(help: "Write the evidence as JSON.") var evidence = false
        @Flag(help: "Also show what sealed rows said.") var sealed = false
        @OptionGroup(title: "Connection") var connection: ConnectionOptions

        func run(_ client: RegistryClient, _ output: Output) async throws {
            guard evidence || sealed || !output.json else {
                return try output.emit(try await client.decision(id)) { _ in "" }
            }
            let report = try await client.report(decision: id, sealed: sealed)
            let json = Output(console: output.console, json: output.json || evidence)
            if evidence, !sealed { return try json.emit(report.evidence) { _ in "" } }
            let parts = DecisionParts(
                decision: evidence ? nil : report.decision, evidence: evidence ? report.evidence : nil,
                sealed: report.sealed)
            try json.emit(parts) { _ in DecisionText.full(report) }
        }
    }
}

/// The JSON of `registry decisions show --sealed`.
struct DecisionParts: Codable, Sendable {
    var decision: DecisionRecord?
    /// With `--evidence`, in place of the decision.
    var evidence: Evidence?
    /// Left out where nothing was sealed.
    var sealed: SealedEvidence?
}

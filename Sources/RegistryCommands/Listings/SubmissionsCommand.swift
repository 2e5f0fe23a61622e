import ArgumentParser
import EnsembleModel
import RegistryAPI
import RegistryClient

/// Everything about submissions.
struct SubmissionsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "submissions", abstract: "See what was offered to an ensemble and where it stands.",
        subcommands: [List.self, Show.self])

    /// Lists them.
    struct List: RegistryRequest {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "Show an ensemble's submissions, newest first.")

        @Argument(help: "Ensemble.") var ensemble: String
        @OptionGroup var page: PageOptions
        @OptionGroup(title: "Connection") var connection: ConnectionOptions

        func run(_ client: RegistryClient, _ output: Output) async throws {
            let page = try await page.collect {
                try await client.submissions(ensemble: ensemble, after: $0, limit: $1)
            }
            try output.emit(page) { page in
                guard !page.items.isEmpty else { return "There are no submissions yet." }
                return TextTable(
                    columns: [
                        .number("submission"), .text("model"), .text("state"), .number("evaluation"),
                        .number("decision"), .number("rows"), .text("by"), .text("when (UTC)"),
                    ],
                    rows: page.items.map { item in
                        [
                            "\(item.id)", item.model.description, item.state.rawValue,
                            item.evaluation.map { "\($0.id)" } ?? "-",
                            item.evaluation?.decision.map { "\($0)" } ?? "-", "\(item.rowCount)", item.submittedBy,
                            Format.date(item.createdAt),
                        ]
                    }
                ).text
            }
        }
    }

    /// Shows one.
    struct Show: RegistryRequest {
        static let configuration = CommandConfiguration(
            commandName: "show", abstract: "See one with its verdict, or how far its evaluation is.")

        @Argument(help: "Number of the submission.") var submission: Int64
        @Flag(help: "Wait for the verdict; the exit status tells it.") var wait = false
        @OptionGroup(title: "Connection") var connection: ConnectionOptions

        func run(_ client: RegistryClient, _ output: Output) async throws {
            var record = try await client.submission(submission)
            if wait { record = try await client.follow(record, ProgressLine(output.console)) }
            try await SubmitResult.show(record, waited: wait, client, output)
        }
    }
}

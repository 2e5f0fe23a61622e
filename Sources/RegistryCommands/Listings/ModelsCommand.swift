import ArgumentParser
import EnsembleModel
import RegistryAPI
import RegistryClient

/// Everything about model versions.
struct ModelsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "models", abstract: "See the registered versions and where they serve.",
        subcommands: [List.self, Show.self])

    /// Lists them.
    struct List: RegistryRequest {
        static let configuration = CommandConfiguration(commandName: "list", abstract: "Show what there is.")

        @OptionGroup var page: PageOptions
        @OptionGroup(title: "Connection") var connection: ConnectionOptions

        func run(_ client: RegistryClient, _ output: Output) async throws {
            let page = try await page.collect { try await client.models(after: $0, limit: $1) }
            try output.emit(page) { page in
                guard !page.items.isEmpty else { return "There are no models yet: offer one with `registry submit`." }
                return TextTable(
                    columns: [
                        .text("model"), .text("kind"), .number("latency ms"), .number("USD/10k rows"),
                        .text("ensembles"),
                        .text("member of"), .text("created (UTC)"),
                    ],
                    rows: page.items.map {
                        [
                            $0.id.description, $0.metadata.kind ?? "-",
                            Format.milliseconds($0.metadata.latencyNanoseconds),
                            Format.usdPer10k($0.metadata.costNanoUSDPerRow), Self.names($0.ensembles),
                            Self.names($0.memberOf),
                            Format.date($0.createdAt),
                        ]
                    }
                ).text
            }
        }

        private static func names(_ names: [String]) -> String { names.isEmpty ? "-" : names.joined(separator: " ") }
    }

    /// Shows one.
    struct Show: RegistryRequest {
        static let configuration = CommandConfiguration(
            commandName: "show", abstract: "See one with all that was declared.")

        @Argument(help: ArgumentHelp("Model version, e.g. minilm@3.", valueName: "model@version")) var model:
            ModelVersionID
        @OptionGroup(title: "Connection") var connection: ConnectionOptions

        func run(_ client: RegistryClient, _ output: Output) async throws {
            try output.emit(try await client.model(model)) { record in
                let metadata = record.metadata
                return TextTable.details([
                    ("model", record.id.description),
                    ("kind", metadata.kind),
                    ("description", metadata.description),
                    ("artifact", metadata.artifactURI),
                    ("artifact sha256", metadata.artifactSHA256?.hex),
                    ("endpoint", metadata.endpoint),
                    ("latency", metadata.latencyNanoseconds.map { "\(Format.milliseconds($0)) ms a row" }),
                    ("cost", metadata.costNanoUSDPerRow.map { "\(Format.usdPer10k($0)) USD per 10,000 rows" }),
                    (
                        "tags",
                        metadata.tags.isEmpty
                            ? nil : metadata.tags.map { "\($0.key)=\($0.value)" }.sorted().joined(separator: " ")
                    ),
                    ("ensembles", record.ensembles.joined(separator: " ")),
                    ("member of", record.memberOf.joined(separator: " ")),
                    ("created", "\(Format.date(record.createdAt)) UTC by \(record.createdBy)"),
                ])
            }
        }
    }
}

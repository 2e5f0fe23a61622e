import ArgumentParser
import EnsembleModel
import Foundation
import RegistryAPI
import RegistryClient

/// An ensemble's policy.
struct PolicyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy", abstract: "See and change the switches of an ensemble's decisions.",
        subcommands: [Show.self, Set.self, History.self])

    /// Shows one version.
    struct Show: RegistryRequest {
        static let configuration = CommandConfiguration(
            commandName: "show", abstract: "Write the policy as YAML that can be set again.")

        @Argument(help: "Ensemble.") var name: String
        @Option(help: ArgumentHelp("An earlier version.", valueName: "number")) var version: Int?
        @OptionGroup(title: "Connection") var connection: ConnectionOptions

        func run(_ client: RegistryClient, _ output: Output) async throws {
            let record = try await client.policy(ensemble: name, version: version)
            let yaml = try PolicyText.yaml(record)
            try output.emit(record) { _ in yaml }
        }
    }

    /// Puts a new version in force.
    struct Set: RegistryRequest {
        static let configuration = CommandConfiguration(
            commandName: "set", abstract: "Put a new version in force; harmless when it is the same.",
            discussion: """
                The file holds the whole policy: a switch left out takes its default. Submissions that are queued or \
                being evaluated are evaluated under the new version. Changed columns or a changed preset take effect \
                with the next evaluation, which fits champion and newcomer anew under them; the champion is served as \
                it was fitted until the next promotion. Once shapley-top-k has judged a newcomer, the gate needs a \
                validation set of fresh rows.
                """)

        @Argument(help: "Ensemble.") var name: String
        @Option(help: ArgumentHelp("Policy, YAML or JSON, or - for standard input.", valueName: "file"))
        var file: String
        @Option(help: ArgumentHelp("Why, for the history.", valueName: "text")) var reason: String?
        @OptionGroup(title: "Connection") var connection: ConnectionOptions

        func run(_ client: RegistryClient, _ output: Output) async throws {
            let policy = try PolicyFile.read(file)
            let (record, isNew) = try await client.setPolicy(ensemble: name, policy: policy, reason: reason)
            try output.emit(record) { record in
                isNew
                    ? "Version \(record.version) is in force: \(PolicyText.changes(record))."
                    : "It is version \(record.version) already; nothing was changed."
            }
        }
    }

    /// Lists the versions.
    struct History: RegistryRequest {
        static let configuration = CommandConfiguration(
            commandName: "history", abstract: "Show who changed what and why, newest first.")

        @Argument(help: "Ensemble.") var name: String
        @OptionGroup var page: PageOptions
        @OptionGroup(title: "Connection") var connection: ConnectionOptions

        func run(_ client: RegistryClient, _ output: Output) async throws {
            let page = try await page.collect { try await client.policies(ensemble: name, after: $0, limit: $1) }
            try output.emit(page) { page in
                TextTable(
                    columns: [
                        .number("version"), .text("when (UTC)"), .text("by"), .text("changes"), .text("reason"),
                    ],
                    rows: page.items.map {
                        [
                            "\($0.version)", Format.date($0.createdAt), $0.createdBy, PolicyText.changes($0),
                            $0.reason.isEmpty ? "-" : $0.reason,
                        ]
                    }
                ).text
            }
        }
    }
}

/// What is said of a policy.
enum PolicyText {
    /// YAML that can be set again; where it comes from stands in comments.
    static func yaml(_ record: PolicyRecord) throws -> String {
        let origin = "version \(record.version) of \(record.ensemble)'s policy, \(Format.date(record.createdAt)) UTC"
        let reason = record.reason.isEmpty ? "" : "# \(record.reason.withoutControls())\n"
        return try "# \(origin) by \(record.createdBy.withoutControls())\n\(reason)\(record.policy.yaml())"
    }

    /// `gate.alpha 0.1 -> 0.05, ...`
    static func changes(_ record: PolicyRecord) -> String {
        guard !record.changes.isEmpty else { return "-" }
        return record.changes.map { "\($0.name) \($0.before ?? "unset") -> \($0.after ?? "unset")" }
            .joined(separator: ", ")
    }
}

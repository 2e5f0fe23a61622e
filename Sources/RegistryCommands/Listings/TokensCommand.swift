import ArgumentParser
import EnsembleModel
import RegistryAPI
import RegistryClient

/// Everything about who may do what.
struct TokensCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokens", abstract: "Give and take away access.",
        subcommands: [Create.self, List.self, Revoke.self])

    /// Creates one.
    struct Create: RegistryRequest {
        static let configuration = CommandConfiguration(
            commandName: "create", abstract: "Make one and write its secret, which is shown only this once.")

        @Argument(help: "Who it stands for: the name in records and audits.") var name: String
        @Option(name: .customLong("scope"), parsing: .upToNextOption, help: "What it allows; one or more.")
        var scopes: [Scope]
        @OptionGroup(title: "Connection") var connection: ConnectionOptions

        func run(_ client: RegistryClient, _ output: Output) async throws {
            let created = try await client.createToken(CreateTokenRequest(name: name, scopes: scopes))
            let scopes = TokensCommand.text(created.token.scopes)
            output.note(
                "Token \(created.token.id) for \(created.token.name), \(scopes). Keep it: it is not shown again.")
            try output.emit(created) { $0.secret }
        }
    }

    /// Lists them.
    struct List: RegistryRequest {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "Show what there is, without secrets.")

        @OptionGroup var page: PageOptions
        @OptionGroup(title: "Connection") var connection: ConnectionOptions

        func run(_ client: RegistryClient, _ output: Output) async throws {
            let page = try await page.collect { try await client.tokens(after: $0, limit: $1) }
            try output.emit(page) { page in
                TextTable(
                    columns: [
                        .number("token"), .text("name"), .text("scopes"), .text("created (UTC)"), .text("by"),
                        .text("revoked (UTC)"),
                    ],
                    rows: page.items.map {
                        [
                            "\($0.id)", $0.name, TokensCommand.text($0.scopes), Format.date($0.createdAt), $0.createdBy,
                            $0.revokedAt.map(Format.date) ?? "-",
                        ]
                    }
                ).text
            }
        }
    }

    /// Revokes one.
    struct Revoke: RegistryRequest {
        static let configuration = CommandConfiguration(commandName: "revoke", abstract: "Make one worthless at once.")

        @Argument(help: "Number of the token.") var id: Int64
        @OptionGroup(title: "Connection") var connection: ConnectionOptions

        func run(_ client: RegistryClient, _ output: Output) async throws {
            try await client.revokeToken(id)
            try output.emit(["revoked": id]) { _ in "Token \(id) is revoked." }
        }
    }

    fileprivate static func text(_ scopes: [Scope]) -> String { scopes.map(\.rawValue).joined(separator: " ") }
}

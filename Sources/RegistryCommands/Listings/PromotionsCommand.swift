import ArgumentParser
import EnsembleModel
import RegistryAPI
import RegistryClient

/// Lists how an ensemble's membership changed.
struct PromotionsCommand: RegistryRequest {
    static let configuration = CommandConfiguration(
        commandName: "promotions", abstract: "See how an ensemble's membership changed, newest first.")

    @Argument(help: "Ensemble.") var name: String
    @OptionGroup var page: PageOptions
    @OptionGroup(title: "Connection") var connection: ConnectionOptions

    func run(_ client: RegistryClient, _ output: Output) async throws {
        let page = try await page.collect { try await client.promotions(ensemble: name, after: $0, limit: $1) }
        try output.emit(page) { page in
            guard !page.items.isEmpty else {
                return "\(name) has no promotions: found it with `registry ensembles found \(name)`."
            }
            return TextTable(
                columns: [
                    .number("manifest"), .text("when (UTC)"), .text("kind"), .text("joined"), .text("retired"),
                    .number("members"), .text("by"), .number("decision"), .text("reason"),
                ],
                rows: page.items.map {
                    [
                        "\($0.sequence)", Format.date($0.createdAt), $0.kind.rawValue, Format.models($0.joined),
                        Format.models($0.retired), "\($0.members.count)", $0.actor, $0.decision.map(String.init) ?? "",
                        $0.reason,
                    ]
                }
            ).text
        }
    }
}

import ArgumentParser
import EnsembleModel
import RegistryClient

/// Goes back to an earlier manifest.
struct RollbackCommand: RegistryRequest {
    static let configuration = CommandConfiguration(
        commandName: "rollback", abstract: "Serve an earlier manifest's content again.",
        discussion: """
            Publishes a new manifest with the old content, which serving nodes take like any other: numbers never go \
            back. `registry promotions NAME` lists the manifests. Submissions that are being evaluated are evaluated \
            again, against the champion that comes back.
            """)

    @Argument(help: "Ensemble.") var name: String
    @Option(help: ArgumentHelp("Manifest to go back to.", valueName: "sequence")) var to: Int
    @Option(help: ArgumentHelp("Why, for everybody who reads the promotions.", valueName: "text")) var reason: String
    @OptionGroup(title: "Connection") var connection: ConnectionOptions

    func validate() throws {
        guard to > 0 else { throw ValidationError("--to is a manifest's sequence: a number from 1 on") }
        guard !reason.isEmpty else { throw ValidationError("--reason must say why") }
    }

    func run(_ client: RegistryClient, _ output: Output) async throws {
        let promotion = try await client.rollBack(ensemble: name, to: to, reason: reason)
        try output.emit(promotion) { promotion in
            """
            Manifest \(promotion.sequence) of \(promotion.ensemble) serves the content of manifest \(to): \
            \(Format.models(promotion.members)).
            See `registry nodes \(promotion.ensemble)` for the nodes that have it.
            """
        }
    }
}

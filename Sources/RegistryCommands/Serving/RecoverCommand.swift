import ArgumentParser
import EnsembleModel
import RegistryAPI
import RegistryClient

/// Goes on after a restored backup.
struct RecoverCommand: RegistryRequest {
    static let configuration = CommandConfiguration(
        commandName: "recover", abstract: "Go on after the registry's database was restored from a backup.",
        discussion: """
            Serving nodes refuse everything older than what they have seen, and a restored database is older. This \
            publishes every champion again, in a new generation and above all numbers that nodes have reported, so \
            wait until they have: `registry nodes NAME` shows who has. Submissions and promotions since the backup \
            are lost; submit again.

            Where a thief of keys has raised versions without bound, no number is left above them: rotate the keys of \
            the timestamp and snapshot roles (`registry keys rotate`), which makes nodes begin anew.
            """)

    @Option(help: ArgumentHelp("Why, for everybody who reads the promotions.", valueName: "text")) var reason: String
    @OptionGroup(title: "Connection") var connection: ConnectionOptions

    func validate() throws {
        guard !reason.isEmpty else { throw ValidationError("--reason must say why") }
    }

    func run(_ client: RegistryClient, _ output: Output) async throws {
        let recoveries = try await client.recover(reason: reason)
        try output.emit(recoveries) { recoveries in
            guard !recoveries.isEmpty else { return "No ensemble has published anything: there is nothing to recover." }
            return TextTable(
                columns: [
                    .text("ensemble"), .number("restored"), .number("generation"), .number("manifest"),
                    .number("timestamp version"),
                ],
                rows: recoveries.map {
                    [
                        $0.ensemble, "\($0.restoredSequence)", "\($0.generation)", "\($0.sequence)",
                        "\($0.versions.timestamp)",
                    ]
                }
            ).text
        }
    }
}

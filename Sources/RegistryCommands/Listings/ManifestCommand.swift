import ArgumentParser
import EnsembleModel
import Foundation
import RegistryAPI
import RegistryClient

/// Everything about published champions.
struct ManifestCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "manifest", abstract: "Get what serving nodes run.", subcommands: [Get.self])

    /// Gets one, checked.
    struct Get: RegistryRequest {
        static let configuration = CommandConfiguration(
            commandName: "get", abstract: "Fetch an ensemble's manifest and combiner, checked against their digests.")

        @Argument(help: "Ensemble.") var name: String
        @Option(help: ArgumentHelp("Number of the manifest (default: the newest).", valueName: "number")) var sequence:
            Int?
        @Option(help: ArgumentHelp("Write the combiner, a LightGBM text model, to this file.", valueName: "file"))
        var combiner: String?
        @Option(
            help: ArgumentHelp(
                "Write the manifest's exact bytes to this file; - for standard output.", valueName: "file"))
        var output: String?
        @OptionGroup(title: "Connection") var connection: ConnectionOptions

        mutating func validate() throws {
            if output == "-", connection.json {
                throw ValidationError("--output - and --json both write to standard output.")
            }
            if combiner == "-" { throw ValidationError("--combiner needs a file.") }
        }

        func run(_ client: RegistryClient, _ output: Output) async throws {
            let manifest = try await manifest(client)
            if let path = combiner {
                let reference = manifest.manifest.combiner
                try TextFile.write(try await client.combiner(reference.sha256, maximumBytes: reference.bytes), to: path)
            }
            if self.output == "-" {
                return try output.console.write(String(decoding: manifest.bytes, as: UTF8.self))
            }
            if let path = self.output { try TextFile.write(manifest.bytes, to: path) }
            try output.emit(ManifestResult(sha256: manifest.digest, manifest: manifest.manifest), text: Self.text)
        }

        private func manifest(_ client: RegistryClient) async throws -> VerifiedManifest {
            if let sequence { return try await client.manifest(ensemble: name, sequence: sequence) }
            guard case .manifest(let manifest) = try await client.manifest(ensemble: name) else {
                throw CommandError(
                    .failed, "the registry answered that nothing changed, though nothing was known before")
            }
            return manifest
        }

        static func text(_ result: ManifestResult) -> String {
            let (manifest, combiner) = (result.manifest, result.manifest.combiner)
            let details = TextTable.details([
                ("ensemble", manifest.ensemble),
                ("manifest", "\(manifest.sequence), \(manifest.reason.rawValue) by \(manifest.admission.rawValue)"),
                ("decision", "\(manifest.decisionID)"),
                ("sha256", result.sha256.hex),
                ("content id", manifest.contentID.hex),
                ("published", "\(Format.date(Date(timeIntervalSince1970: Double(manifest.createdAt)))) UTC"),
                ("classes", manifest.classes.joined(separator: ", ")),
                ("combiner", "\(combiner.trees) trees, \(combiner.bytes) bytes, sha256 \(combiner.sha256)"),
                ("columns", manifest.columns.rawValue),
            ])
            let members = TextTable(
                columns: [
                    .text("member"), .text("kind"), .number("latency ms"), .number("USD/10k rows"), .text("endpoint"),
                ],
                rows: manifest.members.map {
                    [
                        "\($0.model)@\($0.version)", $0.kind ?? "-", Format.milliseconds($0.latencyNanoseconds),
                        Format.usdPer10k($0.costNanoUSDPerRow), $0.endpoint ?? "-",
                    ]
                })
            return details + "\n" + members.text
        }
    }
}

/// The JSON of `registry manifest get`.
struct ManifestResult: Codable, Sendable {
    /// SHA-256 of the manifest's canonical bytes.
    var sha256: ContentDigest
    var manifest: Manifest
}

import ArgumentParser
import EnsembleModel
import Foundation

/// What a submitter declares about a model version.
struct MetadataOptions: ParsableArguments, Sendable {
    @Option(help: ArgumentHelp("Family of the model, e.g. language or graph.", valueName: "word"))
    var kind: String?

    @Option(help: ArgumentHelp("What the model is, for people.", valueName: "text"))
    var description: String?

    @Option(help: ArgumentHelp("Where the model's artifact is, e.g. s3://bucket/minilm-3.onnx.", valueName: "uri"))
    var artifact: String?

    @Option(help: ArgumentHelp("SHA-256 of the artifact.", valueName: "hex"))
    var sha256: String?

    @Option(help: ArgumentHelp("Where the model answers the Open Inference Protocol.", valueName: "url"))
    var endpoint: String?

    @Option(help: ArgumentHelp("Latency a row in milliseconds.", valueName: "ms"))
    var latencyMs: String?

    @Option(
        name: .customLong("cost-usd-per-10k"),
        help: ArgumentHelp("Cost of 10,000 rows in US dollars.", valueName: "usd"))
    var costUSDPer10k: String?

    @Option(
        name: .customLong("tag"), parsing: .singleValue,
        help: ArgumentHelp("A word about the model; may be repeated.", valueName: "key=value"))
    var tags: [String] = []

    mutating func validate() throws { _ = try metadata }

    var metadata: ModelMetadata {
        get throws {
            var tags: [String: String] = [:]
            for tag in self.tags {
                let parts = tag.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
                guard parts.count == 2, !parts[0].isEmpty else {
                    throw ValidationError("--tag '\(tag)' is not of the form key=value.")
                }
                guard tags.updateValue(parts[1], forKey: parts[0]) == nil else {
                    throw ValidationError("--tag \(parts[0]) is given more than once.")
                }
            }
            let digest: ContentDigest?
            do {
                digest = try sha256.map { hex throws(EnsembleModelError) in try ContentDigest(hex: hex) }
            } catch {
                throw ValidationError("--sha256: \(error.message).")
            }
            return ModelMetadata(
                kind: kind, description: description, artifactURI: artifact, artifactSHA256: digest, endpoint: endpoint,
                latencyNanoseconds: try latencyMs.map { try Self.scaled($0, by: 1e6, option: "--latency-ms") },
                costNanoUSDPerRow: try costUSDPer10k.map { try Self.scaled($0, by: 1e5, option: "--cost-usd-per-10k") },
                tags: tags)
        }
    }

    /// A decimal number times a factor, to the nearest integer: milliseconds to nanoseconds by 1e6, US dollars per
    /// 10,000 rows to nano US dollars a row by 1e5.
    static func scaled(_ text: String, by factor: Double, option: String) throws -> Int64 {
        // Beyond 2^53 a double no longer holds every integer.
        guard let value = Double(text), value.isFinite, value >= 0, value * factor < 0x1p53 else {
            throw ValidationError("\(option) must be a number, 0 or more: '\(text)' is not.")
        }
        return Int64((value * factor).rounded())
    }
}

import ArgumentParser
import EnsembleModel
import Foundation
import NIOCore
import RegistryClient
import Testing

@testable import RegistryCommands

struct SubmitInputTests {
    @Test(arguments: [
        ("5.9", 5_900_000), ("0", 0), ("1e-3", 1000), ("0.0000004", 0), ("0.1", 100_000),
        ("1234.567891", 1_234_567_891),
    ])
    func millisecondsBecomeNanoseconds(_ text: String, _ nanoseconds: Int64) throws {
        #expect(try MetadataOptions.scaled(text, by: 1e6, option: "--latency-ms") == nanoseconds)
    }

    @Test(arguments: [("1", 100_000), ("0.37", 37_000), ("12.5", 1_250_000)])
    func usdPer10kBecomeNanoUSDPerRow(_ text: String, _ nanoUSD: Int64) throws {
        #expect(try MetadataOptions.scaled(text, by: 1e5, option: "--cost") == nanoUSD)
        #expect(ModelMetadata.decimal(nanoUSD, places: 5) == text)
    }

    @Test(arguments: ["", "x", "-1", "nan", "inf", "1e300", "5,9"])
    func othersAreRefused(_ text: String) {
        #expect(throws: ValidationError.self) { try MetadataOptions.scaled(text, by: 1e6, option: "--latency-ms") }
    }

    @Test(
        arguments: [(5_900_000, "5.9"), (1, "0.000001"), (0, "0"), (1_000_000, "1"), (-1_500_000, "-1.5")]
            as [(Int64, String)])
    func decimalsAreExact(_ value: Int64, _ text: String) { #expect(ModelMetadata.decimal(value, places: 6) == text) }

    @Test func formatComesFromTheNameOrTheOption() throws {
        let cases: [(String, PredictionsFormat)] = [
            ("a.csv", .csv), ("A.CSV.GZ", .gzippedCSV), ("x.npy", .npy), ("x.npy.gz", .gzippedNpy), ("-", .csv),
        ]
        for (path, format) in cases { #expect(try PredictionsFormat.of(path, given: nil) == format) }
        #expect(try PredictionsFormat.of("x.bin", given: .npy) == .npy)
        #expect(throws: CommandError.self) { try PredictionsFormat.of("x.bin", given: nil) }
    }

    @Test func idempotencyKeyDependsOnEverything() throws {
        func key(
            ensemble: String = "e", model: String = "a@1", kind: String? = nil, predictions: String = "x"
        ) throws -> String {
            try SubmitCommand.idempotencyKey(
                ensemble: ensemble, model: ModelVersionID(model), metadata: ModelMetadata(kind: kind),
                digest: .of(predictions))
        }
        #expect(try key() == key())
        let keys = [
            try key(), try key(ensemble: "f"), try key(model: "a@2"), try key(kind: "graph"), try key(predictions: "y"),
        ]
        #expect(Set(keys).count == keys.count)
    }

    @Test func policiesAreReadFromYAMLAndJSON() throws {
        let yaml = try PolicyFile.parse(
            "budget: {members: 4, latency_ms: 12.5, latency_rule: total}\npreset: small\n", name: "p.yaml")
        #expect(yaml.budget.members == 4)
        #expect(yaml.budget.latencyMilliseconds == 12.5)
        #expect(yaml.budget.latencyRule == .total)
        #expect(yaml.preset == .small)
        #expect(yaml.parsimony == Policy().parsimony)
        #expect(try PolicyFile.parse(#"{"parsimony": 0, "budget": {"members": 2}}"#, name: "p.json").parsimony == 0)
    }

    @Test(arguments: [
        ("budget: {member: 4}", "unknown budget switch 'member'"),
        ("admision: shapley-top-k", "unknown policy switch 'admision'"),
        ("preset: large", "preset"), ("budget: {members: 0}", "budget.members is 0"),
        ("budget: {members: many}", "budget.members"),
        ("a: [", "neither YAML nor JSON"), ("- 1", "made of switches"), ("", "made of switches"),
    ])
    func otherPoliciesAreRefused(_ text: String, _ hint: String) throws {
        let error = try #require(throws: CommandError.self) { try PolicyFile.parse(text, name: "p.yaml") }
        #expect(error.code == .usage)
        #expect(error.message.hasPrefix("p.yaml"))
        #expect(error.message.contains(hint), "\(error.message)")
    }
}

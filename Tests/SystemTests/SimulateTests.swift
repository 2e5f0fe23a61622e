import EnsembleModel
import Foundation
import RegistryAPI
import RegistryTesting
import Testing

/// A simulation on the rows of an ensemble that a daemon keeps.
@Suite(.serialized) struct SimulateTests {
    /// The JSON of a rule's results, as far as this looks.
    private struct Report: Decodable {
        var rule: String
        var gateTests: Double

        enum CodingKeys: String, CodingKey {
            case rule
            case gateTests = "gate_tests"
        }
    }

    @Test func anEnsemblesOwnRowsArePlayed() async throws {
        try await RunningRegistry.with { registry in
            let task = try SimulatedTask(rowCount: 600)
            try await registry.create("pets", task)
            func set(_ yaml: String) async throws {
                let file = try registry.file("policy.yaml", yaml)
                #expect(try await registry.command("ensembles", "policy", "set", "pets", "--file", file).status == 0)
            }
            func token(_ scope: Scope) async throws -> String {
                let created: CreatedToken = try await registry.json(
                    "tokens", "create", "a-\(scope.rawValue)", "--scope", scope.rawValue)
                return try registry.file("\(scope.rawValue).token", created.secret)
            }
            let auditor = try await token(.audit)
            func simulate(_ arguments: String..., token: String) async throws -> Programs.Result {
                let options = [
                    "simulate", "--ensemble", "pets", "--runs", "1", "--submissions", "20", "--truly-better", "0",
                    "--token-file", token,
                ]
                return try await Programs.run(
                    "registry", options + arguments, environment: ["REGISTRY_URL": registry.url])
            }
            let early = try await simulate(token: auditor)
            #expect(early.status == 1 && early.errors.contains("has no champion yet"), "\(early.errors)")
            try await set("founding: first\npreset: small\ngate:\n  tests_per_epoch: 1\n")
            let file = try registry.file("fair.csv", task.csv(task.predictions(skill: 0.8, seed: 80)))
            #expect(
                try await registry.command("submit", "pets", "fair@1", "--predictions", file, "--wait").status == 0)

            let refused = try await simulate(token: try await token(.read))
            #expect(refused.status == 6 && refused.errors.contains("lacks the scope audit"), "\(refused.errors)")
            func gateTests(_ result: Programs.Result) throws -> Double? {
                let reports = try JSONDecoder().decode([Report].self, from: Data(result.output.utf8))
                return reports.first { $0.rule == "gated" }?.gateTests
            }
            // The ensemble's own policy, unless another is given.
            let own = try await simulate("--json", token: auditor)
            #expect(own.status == 0, "\(own.errors)")
            #expect(try gateTests(own) == 1)
            let usual = try registry.file("usual.yaml", "founding: first\n")
            let other = try await simulate("--json", "--policy", usual, token: auditor)
            #expect(try (gateTests(other) ?? 0) > 1)
            let told = try await simulate(token: auditor)
            #expect(told.errors.contains("On the 600 rows of pets's epoch 1. The plain average of the 1 members"))
            #expect(told.output.hasPrefix("rule"))
        }
    }
}

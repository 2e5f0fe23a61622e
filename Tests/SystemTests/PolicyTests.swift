import EnsembleModel
import RegistryAPI
import RegistryTesting
import Testing

/// Policies and holds, as users of the command line meet them.
@Suite(.serialized) struct PolicyTests {
    @Test func aSpentEpochHoldsUntilThePolicyHasMoreAlpha() async throws {
        try await RunningRegistry.with { registry in
            let task = try SimulatedTask(rowCount: 400)
            try await registry.create("pets", task)
            func set(_ yaml: String) async throws -> String {
                let file = try registry.file("policy.yaml", yaml)
                let run = try await registry.command(
                    "ensembles", "policy", "set", "pets", "--file", file, "--reason", "a test")
                #expect(run.status == 0, "\(run.errors)")
                return run.output
            }
            func submit(_ model: String, skill: Double, seed: UInt64) async throws -> Int32 {
                let file = try registry.file("\(model).csv", task.csv(task.predictions(skill: skill, seed: seed)))
                let run = try await registry.command("submit", "pets", model, "--predictions", file, "--wait")
                return run.status
            }
            let policy = "founding: first\npreset: small\ngate:\n  tests_per_epoch: 1\n"
            #expect(try await set(policy).contains("gate.tests_per_epoch 100 -> 1"))
            let shown = try await registry.command("ensembles", "policy", "show", "pets")
            #expect(try await set(shown.output) == "It is version 2 already; nothing was changed.\n")

            #expect(try await submit("fair@1", skill: 0.8, seed: 80) == 0)
            #expect(try await submit("good@1", skill: 3, seed: 7) == 0)
            #expect(try await submit("more@1", skill: 3, seed: 8) == 5)
            let ensemble: EnsembleRecord = try await registry.json("ensembles", "show", "pets")
            #expect((ensemble.ledger.tests, ensemble.ledger.testsLeft) == (1, 0))

            _ = try await set(policy.replacing("tests_per_epoch: 1", with: "tests_per_epoch: 3\n  alpha: 0.3"))
            let status = try await submit("more@1", skill: 3, seed: 8)
            #expect(status == 0 || status == 4)
            let history: Page<PolicyRecord> = try await registry.json("ensembles", "policy", "history", "pets")
            #expect(history.items.map(\.version) == [3, 2, 1] && history.items[0].reason == "a test")
        }
    }
}

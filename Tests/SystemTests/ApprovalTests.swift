import EnsembleModel
import Foundation
import RegistryAPI
import RegistryTesting
import Testing

/// Two people and a daemon, as users of the command line meet them.
@Suite(.serialized) struct ApprovalTests {
    @Test func promotionsWaitForSomebodyElse() async throws {
        try await RunningRegistry.with { registry in
            let task = try SimulatedTask(rowCount: 400)
            try await registry.create("pets", task)
            let policy = try registry.file("policy.yaml", "founding: first\npreset: small\napproval: one\n")
            #expect(try await registry.command("ensembles", "policy", "set", "pets", "--file", policy).status == 0)
            // Sam may do everything but approve of what Sam submitted.
            let created: CreatedToken = try await registry.json("tokens", "create", "sam", "--scope", "admin")
            let sam = try registry.file("sam.token", created.secret)
            func submit(_ model: String, skill: Double, seed: UInt64) async throws -> Programs.Result {
                let file = try registry.file("\(model).csv", task.csv(task.predictions(skill: skill, seed: seed)))
                return try await registry.command(
                    "submit", "pets", model, "--predictions", file, "--wait", "--token-file", sam)
            }
            func sequence() async throws -> Int {
                try await registry.json("ensembles", "show", "pets", as: EnsembleRecord.self).sequence
            }
            let founding = try await submit("fair@1", skill: 0.8, seed: 80)
            #expect(founding.status == 5, "\(founding.errors)")
            #expect(founding.output.hasPrefix("The founding of pets with 1 member (fair@1) waits for approval"))
            #expect(try await sequence() == 0)
            let own = try await registry.command("approve", "1", "--token-file", sam)
            #expect(own.status == 6 && own.errors.contains("somebody else must approve"), "\(own.errors)")
            let approved = try await registry.command("approve", "1", "--reason", "a first champion")
            #expect(approved.status == 0)
            #expect(approved.output == "Decision 1 is approved: manifest 1 is published.\n")
            #expect(try await sequence() == 1)

            #expect(try await submit("good@1", skill: 3, seed: 7).status == 5)
            let listed = try await registry.command("decisions", "list", "pets")
            #expect(listed.output.contains("ADMIT, pending 0 of 1"), "\(listed.output)")
            let rejected = try await registry.command("reject", "2", "--reason", "its licence is not ours")
            #expect(rejected.status == 0, "\(rejected.errors)")
            let shown = try await registry.command("submissions", "show", "2", "--wait", "--token-file", sam)
            #expect(shown.status == 4)
            #expect(shown.output.contains(": its licence is not ours"), "\(shown.output)")
            let ensemble: EnsembleRecord = try await registry.json("ensembles", "show", "pets")
            #expect(ensemble.sequence == 1 && ensemble.ledger.tests == 1 && ensemble.members.count == 1)
            #expect(try await registry.command("approve", "2").status == 3)
        }
    }
}

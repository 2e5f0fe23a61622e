import EnsembleModel
import Foundation
import RegistryAPI
import RegistryTesting
import Testing

/// Evidence does not tell how often it was begun, nor on how many threads.
@Suite struct ReplayTests {
    @Test func decisionsInterruptedByKillsReplayBitForBit() async throws {
        try await ScratchDirectory.with { folder in
            let task = try SimulatedTask(rowCount: 5_000)
            let first = try await RunningRegistry.start(in: folder, "--worker-threads", "1")
            try await first.create("pets", task)
            let policy = try first.file("policy.yaml", "founding: first\npreset: standard\n")
            #expect(try await first.command("ensembles", "policy", "set", "pets", "--file", policy).status == 0)
            func submit(_ model: String, skill: Double, _ registry: RunningRegistry) async throws -> SubmissionRecord {
                let predictions = try task.predictions(skill: skill, seed: UInt64(skill * 10))
                let file = try registry.file("\(model).csv", task.csv(predictions))
                let sent: Outcome = try await registry.json("submit", "pets", model, "--predictions", file)
                return try #require(sent.submission)
            }
            func decision(_ submission: SubmissionRecord, _ registry: RunningRegistry) async throws -> DecisionRecord {
                let shown: Outcome = try await registry.json("submissions", "show", "\(submission.id)", "--wait")
                return try #require(shown.decision)
            }
            func began(_ count: Int) async throws {
                let deadline = ContinuousClock.now + .seconds(60)
                while first.daemon.logged.split(separator: "\n").count(where: { $0.contains("Evaluation began") })
                    < count
                {
                    try #require(ContinuousClock.now < deadline, "\(first.daemon.logged)")
                    try await Task.sleep(for: .milliseconds(5))
                }
            }
            #expect(try await decision(submit("fair@1", skill: 0.8, first), first).verdict == .admit)
            let interrupted = try await submit("good@1", skill: 3, first)
            try await began(2)
            await first.daemon.end(SIGKILL)

            let second = try await RunningRegistry.start(in: folder, "--worker-threads", "2")
            #expect(try await decision(interrupted, second).verdict == .admit)
            #expect(second.daemon.logged.contains("Evaluation began"), "it was not interrupted")
            #expect(try await decision(submit("noise@1", skill: 0, second), second).verdict == .rejectNoGain)
            let ensemble: EnsembleRecord = try await second.json("ensembles", "show", "pets")
            #expect(ensemble.ledger.evaluations == 3 && ensemble.ledger.tests == 2, "\(ensemble.ledger)")
            let replay = try await second.command("replay", "--all", "--ensemble", "pets")
            #expect(replay.status == 0, "\(replay.errors)")
            #expect(replay.output.split(separator: "\n").count { $0.contains(": identical") } == 3, "\(replay.output)")
            #expect(await second.daemon.end() == 0)
        }
    }
}

import EnsembleModel
import Foundation
import RegistryAPI
import Testing

@testable import RegistryCommands

/// What people on call read of nodes and rollouts.
struct ServingCommandTests {
    private static func node(
        _ name: String, sequence: Int?, _ standing: NodeRecord.Standing, secondsAgo: Double = 3,
        refusal: NodeReport.Refusal? = nil
    ) -> NodeRecord {
        let report = NodeReport(
            ensemble: "e", program: "0.1.0", state: sequence == nil ? .empty : .serving,
            running: sequence.map { .init(generation: 1, sequence: $0, sha256: .of([])) }, refusal: refusal)
        let reported = since.addingTimeInterval(-secondsAgo)
        return NodeRecord(
            node: name, report: report, standing: standing, wanted: 8, firstReportedAt: reported, reportedAt: reported)
    }

    @Test func nodesTellWhatTheyRunAndHowLongAgoTheySaidSo() async throws {
        let refusal = NodeReport.Refusal(stage: .load, code: "invalid_combiner", message: "golden rows differ")
        let nodes = [
            Self.node("node-a", sequence: 8, .current),
            Self.node("node-b", sequence: 7, .refused, secondsAgo: 3000, refusal: refusal),
            Self.node("node-c", sequence: 7, .waiting),
            Self.node("node-d", sequence: nil, .behind),
        ]
        #expect(
            NodesCommand.table(nodes, now: Self.since) == """
                node    running  wanted  standing  state    version    age  last error
                node-a      1.8       8  current   serving  0.1.0      3 s
                node-b      1.7       8  refused   serving  0.1.0    50:00  load: invalid_combiner: golden rows differ
                node-c      1.7       8  waiting   serving  0.1.0      3 s
                node-d        -       8  behind    empty    0.1.0      3 s

                """)
        try await CannedRegistry.with { _, _ in
            try .json(Page(items: nodes, next: nil))
        } _: { registry in
            let run = await Transcript.run(["nodes", "e"], registry: registry)
            #expect(run.status == 0 && run.output.hasPrefix("node    running"))
            #expect(registry.seen.map(\.target) == ["/api/v1/ensembles/e/nodes?limit=100"])
        }
    }

    private static let since = Date(timeIntervalSince1970: 1_767_270_896)

    private static func rollout(
        _ state: ManifestRollout.State, share: Int = 100, bakingSince: Date? = nil, reason: String = ""
    ) -> RolloutRecord {
        let rollout = ManifestRollout(
            sequence: 8, settings: .init(bakeSeconds: 600), state: state, share: share, startedAt: since,
            stageStartedAt: since, bakingSince: bakingSince, reason: reason, excused: [])
        var record = RolloutRecord(ensemble: "e", rollout, nodes: [], now: since)
        record.nodes = .init(following: 200, reached: 2, serving: 1, failing: 0)
        return record
    }

    @Test func aRolloutTellsWhatItWaitsFor() {
        #expect(
            RolloutText.of(Self.rollout(.baking)) == """
                Manifest 8 of e is rolled out to 2 of 200 nodes (1 %).
                1 of them serve it, 0 fail; it bakes once all do.
                """)
        #expect(
            RolloutText.of(Self.rollout(.baking, share: 43, bakingSince: Self.since)) == """
                Manifest 8 of e is rolled out to 2 of 200 nodes.
                1 of them serve it, 0 fail; it bakes for 10:00 since 2026-01-01 12:34 UTC.
                """)
        #expect(
            RolloutText.of(Self.rollout(.halted, reason: "n7 refused it\u{1B} (load: x)")) == """
                Manifest 8 of e is halted at 2 of 200 nodes (1 %): n7 refused it\u{FFFD} (load: x).
                1 of them serve it, 0 fail. `registry rollout resume` goes on, `registry rollback` goes back.
                """)
        #expect(
            RolloutText.of(Self.rollout(.complete, share: 10_000))
                == "Manifest 8 of e has reached all nodes: 1 of 200 serve it.")
    }

    @Test(arguments: RolloutSteering.allCases) func peopleSteerWithAReason(steering: RolloutSteering) async throws {
        try await CannedRegistry.with { _, _ in
            try .json(Self.rollout(.baking))
        } _: { registry in
            let command = ["rollout", steering.rawValue, "e"]
            let run = await Transcript.run(command + ["--reason", "seen to"], registry: registry)
            #expect(run.status == 0 && run.output.hasPrefix("Manifest 8 of e is rolled out"))
            let seen = try #require(registry.seen.first)
            #expect(seen.method == "POST" && seen.target == "/api/v1/ensembles/e/rollout")
            let sent = try JSONDecoder().decode(RolloutRequest.self, from: Data(seen.body))
            #expect(sent == RolloutRequest(action: steering, reason: "seen to"))
            #expect(await Transcript.run(command + ["--reason", ""], registry: registry).status == 2)
            #expect(await Transcript.run(command, registry: registry).status == 2)
            #expect(registry.seen.count == 1)
        }
    }
}

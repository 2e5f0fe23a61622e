import EnsembleModel
import Foundation
import HTTPTypes
import HummingbirdTesting
import RegistryAPI
import RegistryStore
import RegistryTesting
import Testing
import Trust

@testable import RegistryServer

/// A hand on a rollout, over HTTP.
@Suite struct RolloutRouteTests {
    @Test func aRolloutIsShownHaltedAndFinished() async throws {
        try await MetadataTests.with { registry, task in
            let path = APIPath.rollout("pets")
            #expect(try await registry.send(.get, path).problem == .notFound)
            let policy = #"{"policy":{"admission":"shapley-top-k","preset":"standard","rollout":{}},"reason":"r"}"#
            let set = try await registry.send(.put, APIPath.policy("pets"), body: policy)
            #expect(set.status == .ok || set.status == .created)
            let report = NodeReport(
                ensemble: "pets", program: "1.0", state: .serving,
                running: .init(generation: 1, sequence: 1, sha256: .of([])))
            try await registry.store.report([.init(node: "node-1", report: report)], now: Date())
            try await MetadataTests.promote(registry, task)

            let shown: RolloutRecord = try await registry.send(.get, path).decoded()
            #expect(shown.state == .baking && shown.sequence == 2 && shown.bakeSeconds == 600)
            #expect(shown.nodes == .init(following: 1, reached: 1, serving: 0, failing: 0))
            let nodes: Page<NodeRecord> = try await registry.send(.get, APIPath.nodes("pets")).decoded()
            #expect(nodes.items.map(\.standing) == [.behind])

            func steer(_ body: String, token: String? = nil) async throws -> ProblemCode? {
                try await registry.send(.post, path, body: body, token: token).problem
            }
            let reader = try await registry.token("reader", [.read])
            #expect(try await steer(#"{"action":"halt","reason":"r"}"#, token: reader) == .forbidden)
            #expect(try await steer(#"{"action":"stop","reason":"r"}"#) == .badRequest)
            #expect(try await steer(#"{"action":"halt","reason":""}"#) == .badRequest)
            #expect(try await steer(#"{"action":"resume","reason":"r"}"#) == .conflict)
            #expect(try await steer(#"{"action":"halt","reason":"latency"}"#) == nil)
            let halted: RolloutRecord = try await registry.send(.get, path).decoded()
            #expect(halted.state == .halted && halted.reason == "tester: latency")

            // What nodes are served says the same.
            let file = APIPath.tufMetadata("pets", "timestamp.json")
            func share() async throws -> Int? {
                try Signed<Timestamp>(parsing: await registry.send(.get, file).bytes).content.rollout
            }
            while try await share() != 0 { await Task.yield() }
            #expect(try await steer(#"{"action":"finish","reason":"r"}"#) == nil)
            while try await share() != nil { await Task.yield() }
        }
    }

    /// Of two ensembles that are rolled out, the first cannot be read.
    @Test(.timeLimit(.minutes(2))) func oneEnsemblesFaultHoldsUpNoOther() async throws {
        try await MetadataTests.with { registry, task in
            let policy = #"{"admission":"shapley-top-k","preset":"standard","founding":"first","rollout":{}}"#
            _ = try await registry.create("ants", task, policy: policy)
            _ = try await registry.submit("weak@1", to: "ants", task, task.predictions(skill: 0.5, seed: 1))
            _ = try await registry.send(
                .put, APIPath.policy("pets"),
                body: #"{"policy":{"admission":"shapley-top-k","preset":"standard","rollout":{}},"reason":"r"}"#)
            try await registry.settle()
            func report(_ ensemble: String, attempted: ContentDigest? = nil) async throws {
                let refusal = attempted.map { _ in NodeReport.Refusal(stage: .load, code: "bad", message: "no") }
                let report = NodeReport(
                    ensemble: ensemble, program: "1.0", state: .serving,
                    running: .init(generation: 1, sequence: 1, sha256: .of([])), attempted: attempted,
                    refusal: refusal)
                try await registry.store.report([.init(node: "node-1", report: report)], now: Date())
            }
            for ensemble in ["ants", "pets"] {
                try await report(ensemble)
                _ = try await registry.submit("good@1", to: ensemble, task, task.predictions(skill: 3, seed: 2))
            }
            try await registry.settle()
            #expect(try await registry.store.ensemblesRollingOut() == ["ants", "pets"])
            _ = try await Psql.run(
                """
                ALTER TABLE node_report DROP CONSTRAINT node_report_refused_stage_check;
                UPDATE node_report SET refused_stage = 'nowhere', refused_code = 'x'
                """, on: registry.database)
            try await report("pets", attempted: registry.store.manifest(ensemble: "pets")?.sha256)

            let service = RolloutService(
                store: registry.store, interval: .milliseconds(10), logger: LogRecorder().logger)
            let running = Task { try await service.run() }
            defer { running.cancel() }
            while try await registry.store.rollout(ensemble: "pets", now: Date()).state != .halted {
                try Task.checkCancellation()
                await Task.yield()
            }
            running.cancel()
            _ = await running.result
        }
    }
}

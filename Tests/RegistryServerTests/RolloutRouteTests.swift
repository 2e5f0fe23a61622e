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
}

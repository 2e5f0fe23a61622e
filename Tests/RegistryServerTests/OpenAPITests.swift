import EnsembleModel
import Foundation
import Hummingbird
import Logging
import Postgres
import RegistryAPI
import RegistryStore
import Testing
import Yams

@testable import RegistryServer

/// The hand-kept `openapi.yaml` says what the daemon does.
@Suite struct OpenAPITests {
    private static let file = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Sources/RegistryServer/openapi.yaml")

    private static func document() throws -> [String: Any] {
        let text = try String(contentsOf: file, encoding: .utf8)
        return try #require(try Yams.load(yaml: text) as? [String: Any])
    }

    @Test func describesExactlyTheRoutes() async throws {
        // The router is only listed: the client never connects.
        let client = PostgresClient(
            configuration: PostgresConfiguration(connectionString: "host=/nonexistent"), logger: Logger(label: "test"))
        let store = RegistryStore(client: client, logger: Logger(label: "test"))
        let parts = DaemonParts(store: store, limits: DaemonLimits(), logger: Logger(label: "test"))
        let router = RegistryDaemon.router(parts, spoolDirectory: "/nonexistent")
        let served = Set(
            router.routes.map { route in
                let path = route.path.description.split(separator: "/")
                    .map { $0.hasPrefix(":") ? "{\($0.dropFirst())}" : String($0) }
                return "\(route.method.rawValue) /\(path.joined(separator: "/"))"
            })
        await client.shutdown()

        let paths = try #require(Self.document()["paths"] as? [String: [String: Any]])
        let described = Set(
            paths.flatMap { path, item in
                item.keys.filter { ["get", "put", "post", "delete"].contains($0) }.map { "\($0.uppercased()) \(path)" }
            })
        #expect(served == described)
    }

    @Test(arguments: [
        ("EnsembleRecord", AnyExample(try Examples.ensemble())),
        ("ModelVersionRecord", AnyExample(try Examples.model())),
        ("SubmissionRecord", AnyExample(try Examples.submission())),
        ("EvaluationRecord", AnyExample(try Examples.evaluation())),
        ("ReplayRecord", AnyExample(Examples.replay())),
        ("DecisionRecord", AnyExample(try Examples.decision())),
        ("ApprovalRecord", AnyExample(Examples.approval())),
        ("ReviewRecord", AnyExample(Examples.review())),
        ("ReviewRequest", AnyExample(ReviewRequest(reason: "r"))),
        ("ChampionRowsHeader", AnyExample(try Examples.championRows())),
        (
            "ChampionRowsChunk",
            AnyExample(ChampionRowsChunk(ids: [], labels: [], groups: [], slices: [], probabilities: []))
        ),
        ("Evidence", AnyExample(try Examples.evidence())),
        ("SealedEvidence", AnyExample(try Examples.sealedEvidence())),
        ("Ledger", AnyExample(Ledger())),
        ("PromotionRecord", AnyExample(try Examples.promotion())),
        ("NodeReport", AnyExample(Examples.nodeReport())),
        ("NodeRecord", AnyExample(Examples.nodeRecord())),
        ("NodeStatusRequest", AnyExample(NodeStatusRequest(ensembles: []))),
        ("RollbackRequest", AnyExample(RollbackRequest(to: 1, reason: "r"))),
        ("RolloutRequest", AnyExample(RolloutRequest(action: .halt, reason: "r"))),
        ("RolloutRecord", AnyExample(Examples.rollout())),
        ("RecoveryRequest", AnyExample(RecoveryRequest(reason: "r"))),
        ("RecoveryRecord", AnyExample(Examples.recovery())),
        ("TokenRecord", AnyExample(try Examples.token())),
        ("Policy", AnyExample(try Examples.policy())),
        ("PolicyRecord", AnyExample(try Examples.policyRecord())),
        ("SetPolicyRequest", AnyExample(SetPolicyRequest(policy: try Examples.policy(), reason: "r"))),
        ("LedgerRecord", AnyExample(Examples.ledger())),
        ("Problem", AnyExample(try Examples.problem())),
    ])
    func describesExactlyTheProperties(schema: String, example: AnyExample) throws {
        let components = try #require(Self.document()["components"] as? [String: Any])
        let schemas = try #require(components["schemas"] as? [String: [String: Any]])
        let described = try #require(schemas[schema]?["properties"] as? [String: Any])
        let encoded = try #require(JSONSerialization.jsonObject(with: example.json()) as? [String: Any])
        #expect(Set(encoded.keys) == Set(described.keys))
    }

    @Test(arguments: ["gate", "guardrails", "retirement", "budget", "rollout"])
    func describesExactlyTheSwitches(group: String) throws {
        let components = try #require(Self.document()["components"] as? [String: Any])
        let schemas = try #require(components["schemas"] as? [String: [String: Any]])
        let policy = try #require(schemas["Policy"]?["properties"] as? [String: [String: Any]])
        let described = try #require(policy[group]?["properties"] as? [String: Any])
        let encoded = try JSONSerialization.jsonObject(with: APIJSON.encoder().encode(Examples.policy()))
        let switches = try #require((encoded as? [String: Any])?[group] as? [String: Any])
        #expect(Set(switches.keys) == Set(described.keys))
    }

    @Test func everyVerdictIsDescribed() throws {
        let components = try #require(Self.document()["components"] as? [String: Any])
        let schemas = try #require(components["schemas"] as? [String: [String: Any]])
        #expect(schemas["Verdict"]?["enum"] as? [String] == Verdict.allCases.map(\.rawValue))
        #expect(schemas["Admission"]?["enum"] as? [String] == Policy.Admission.allCases.map(\.rawValue))
    }

    @Test func manifestPropertiesAreDescribed() throws {
        let components = try #require(Self.document()["components"] as? [String: Any])
        let schemas = try #require(components["schemas"] as? [String: [String: Any]])
        let described = try #require(schemas["Manifest"]?["properties"] as? [String: Any])
        let bytes = try Examples.manifest().canonicalBytes()
        let encoded = try #require(JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
        #expect(Set(encoded.keys) == Set(described.keys))
    }
}

/// A value to encode, whatever its type.
struct AnyExample: Sendable, CustomTestStringConvertible {
    let json: @Sendable () throws -> Data
    let testDescription: String

    init<Value: Encodable & SendableMetatype>(_ value: @autoclosure @escaping @Sendable () throws -> Value) {
        json = { try APIJSON.encoder().encode(value()) }
        testDescription = "example"
    }
}

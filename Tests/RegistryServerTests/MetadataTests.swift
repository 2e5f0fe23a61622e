import EnsembleModel
import Foundation
import HTTPTypes
import HummingbirdTesting
import NIOCore
import RegistryAPI
import RegistryStore
import RegistryTesting
import Testing
import Trust

@testable import RegistryServer

/// The repository that serving nodes follow.
@Suite struct MetadataTests {
    /// A founded ensemble `pets`.
    static func with(
        limits: DaemonLimits = DaemonLimits(),
        _ body: @escaping @Sendable (RegistryHarness, SimulatedTask) async throws -> Void
    ) async throws {
        try await RegistryHarness.with(limits: limits) { registry in
            let task = try SimulatedTask(rowCount: 400)
            _ = try await registry.create("pets", task, policy: #"{"admission":"shapley-top-k","preset":"standard"}"#)
            _ = try await registry.submit("weak@1", to: "pets", task, task.predictions(skill: 0.5, seed: 1))
            _ = try await registry.send(.post, APIPath.found("pets"))
            try await registry.settle()
            try await body(registry, task)
        }
    }

    /// Publishes manifest 2.
    static func promote(_ registry: RegistryHarness, _ task: SimulatedTask) async throws {
        _ = try await registry.submit("good@1", to: "pets", task, task.predictions(skill: 3, seed: 2))
        try await registry.settle()
    }

    /// A node's cycle over the routes.
    private static func update(
        _ registry: RegistryHarness, from trusted: TrustedMetadata, ensemble: String = "pets"
    ) async throws -> (update: UpdateCycle.Update, files: [String: [UInt8]]) {
        var cycle = try UpdateCycle(trusted: trusted, ensemble: ensemble)
        var files: [String: [UInt8]] = [:]
        var actions = cycle.start(now: Date())
        while !actions.isEmpty {
            switch actions.removeFirst() {
            case .fetch(let role, let version, _, _):
                let file = role.fileName(version: version ?? 0)
                let answer = try await registry.send(.get, APIPath.tufMetadata("pets", file))
                actions += cycle.receive(answer.status == .ok ? .bytes(answer.bytes) : .notFound, now: Date())
            case .download(let targets):
                for target in targets {
                    let answer = try await registry.send(.get, APIPath.tufTarget("pets", target.consistentPath))
                    #expect(answer.status == .ok)
                    files[target.path] = answer.bytes
                    actions += cycle.receive(.bytes(answer.bytes), target: target.path)
                }
            case .discard, .store: break
            case .finish(let result): return (try result.get(), files)
            }
        }
        throw MalformedAnswer()
    }

    /// Runs `change`, and waits until polls are answered with what it has published.
    private static func publishing(
        _ registry: RegistryHarness, _ change: () async throws -> Void
    ) async throws {
        let path = APIPath.tufMetadata("pets", "timestamp.json")
        let before = try await registry.send(.get, path).bytes
        try await change()
        while try await registry.send(.get, path).bytes == before { await Task.yield() }
    }

    private struct MalformedAnswer: Error {}

    @Test func aNodeFollowsFromTheFirstRoot() async throws {
        try await Self.with { registry, task in
            let trusted = TrustedMetadata(roots: [registry.keys.root.bytes])
            let (first, files) = try await Self.update(registry, from: trusted)
            #expect(first.timestamp.position == ManifestPosition(generation: 1, sequence: 1))
            let newest = try await registry.send(.get, APIPath.manifest("pets"))
            #expect(files["pets/manifest.json"] == newest.bytes)
            let manifest = try JSONDecoder().decode(Manifest.self, from: Data(newest.bytes))
            #expect(try ContentDigest.of(#require(files["pets/combiner.txt"])) == manifest.combiner.sha256)

            try await Self.publishing(registry) { try await Self.promote(registry, task) }
            let (second, _) = try await Self.update(registry, from: first.trusted)
            #expect(second.isNew)
            #expect(second.timestamp.position == ManifestPosition(generation: 1, sequence: 2))
            await #expect(throws: TrustError.self) {
                _ = try await Self.update(registry, from: trusted, ensemble: "others")
            }
        }
    }

    @Test func aRotatedRootIsFollowedWithoutTouchingNodes() async throws {
        try await Self.with { registry, _ in
            let trusted = TrustedMetadata(roots: [registry.keys.root.bytes])
            let current = try Signed<Root>(parsing: registry.keys.root.bytes)
            let fresh = SigningKey()
            var next = current.content.successor(now: Date())
            let old = try #require(current.content.roles[.timestamp]?.keyIDs.first)
            try next.rotate(old, to: fresh.publicKey, in: .timestamp)
            var proposal = try RootProposal(next, replacing: current)
            let unsigned = try await registry.send(.post, APIPath.trustRoot, bytes: proposal.bytes)
            #expect(unsigned.problem == .invalidRoot)
            try proposal.sign(with: #require(registry.keys.keys[.root]))
            let root = try proposal.finished()
            #expect(try await registry.send(.post, APIPath.trustRoot, bytes: root.bytes).status == .created)
            #expect(try await registry.send(.post, APIPath.trustRoot, bytes: root.bytes).status == .noContent)
            #expect(try await registry.send(.get, APIPath.trustRoot).bytes == root.bytes)

            // Until it is signed again, the old timestamp is of a key that is not trusted any more.
            await #expect(throws: TrustError.self) { _ = try await Self.update(registry, from: trusted) }
            let keys = Array(registry.keys.keys.values) + [fresh]
            let signer = DaemonSigner(
                root: SignedMetadata(version: 2, bytes: root.bytes, signedAt: Date()), keys: keys)
            #expect(try signer.missingRoles().isEmpty)
            let store = registry.store(signer: signer)
            let ages = RenewalAges(targetsAndSnapshot: 1000, timestamp: 60)
            #expect(try await store.ensemblesToSign(ages, now: Date()) == ["pets"])
            try await Self.publishing(registry) {
                try await store.renewMetadata(ensemble: "pets", ages, now: Date())
            }
            #expect(try await Self.update(registry, from: trusted).update.trusted.roots.count == 2)
        }
    }

    @Test func aHeldPollIsAnsweredByThePromotion() async throws {
        try await Self.with { registry, task in
            let path = APIPath.tufMetadata("pets", "timestamp.json")
            let prefer = try #require(HTTPField.Name("Prefer"))
            async let held = registry.send(.get, path + "?after=1.1", headers: [prefer: "wait=60"])
            while registry.parts.watch.heldPolls == 0 { await Task.yield() }
            try await Self.promote(registry, task)
            let answer = try await held
            #expect(answer.status == .ok)
            #expect(try answer.headers[#require(HTTPField.Name("Preference-Applied"))] == "wait=60")
            let timestamp = try Signed<Timestamp>(parsing: answer.bytes)
            #expect(timestamp.content.position == ManifestPosition(generation: 1, sequence: 2))
            #expect(answer.bytes.count < 1024)
        }
    }

    @Test func aPollIsAnsweredAtOnceWhenThereIsNews() async throws {
        try await Self.with { registry, _ in
            let path = APIPath.tufMetadata("pets", "timestamp.json")
            let prefer = try #require(HTTPField.Name("Prefer"))
            for after in ["0.0", "1.0"] {
                #expect(
                    try await registry.send(.get, path + "?after=\(after)", headers: [prefer: "wait=60"]).status == .ok)
            }
            let ahead = try await registry.send(.get, path + "?after=1.7", headers: [prefer: "wait=60"])
            #expect(ahead.problem == .conflict)
            #expect(try await registry.send(.get, path + "?after=2", headers: [:]).problem == .badRequest)
            let plain = try await registry.send(.get, path)
            let tag = try #require(plain.headers[.eTag])
            #expect(try await registry.send(.get, path, headers: [.ifNoneMatch: tag]).status == .notModified)
            for file in ["0.root.json", "2.root.json", "1.timestamp.json", "root.json", "1.snapshot.json.json", "x"] {
                #expect(
                    try await registry.send(.get, APIPath.tufMetadata("pets", file)).problem == .notFound, "\(file)")
            }
            let unknown = APIPath.tufMetadata("others", "timestamp.json")
            #expect(try await registry.send(.get, unknown).problem == .ensembleNotFound)
        }
    }

    @Test func aRollbackIsPublished() async throws {
        try await Self.with { registry, task in
            try await Self.promote(registry, task)
            let path = APIPath.rollback("pets")
            let body = #"{"to":1,"reason":"latency"}"#
            try await Self.publishing(registry) {
                let promotion: PromotionRecord = try await registry.send(.post, path, body: body).decoded()
                #expect(promotion.kind == .rollback && promotion.sequence == 3 && promotion.actor == "tester")
            }
            #expect(try await registry.send(.post, path, body: body).problem == .conflict)
            #expect(
                try await registry.send(.post, path, body: #"{"to":9,"reason":"r"}"#).problem == .notFound)
            #expect(try await registry.send(.post, path, body: #"{"to":1,"reason":""}"#).problem == .badRequest)
            #expect(try await registry.send(.post, path, body: #"{"to":1}"#).problem == .badRequest)
            let trusted = TrustedMetadata(roots: [registry.keys.root.bytes])
            let (update, _) = try await Self.update(registry, from: trusted)
            #expect(update.timestamp.position == ManifestPosition(generation: 1, sequence: 3))

            try await Self.publishing(registry) {
                let recovered: [RecoveryRecord] = try await registry.send(
                    .post, APIPath.recovery, body: #"{"reason":"restored"}"#
                ).decoded()
                #expect(recovered.map(\.generation) == [2] && recovered.map(\.sequence) == [4])
            }
            let after = try await Self.update(registry, from: update.trusted).update
            #expect(after.timestamp.position == ManifestPosition(generation: 2, sequence: 4))
        }
    }

    @Test func nodesReport() async throws {
        try await Self.with { registry, _ in
            let report = NodeReport(
                ensemble: "pets", program: "1.0", state: .empty, running: nil, versions: .init(root: 1))
            func send(_ report: NodeReport, node: String = "node-1") async throws -> TestResponse {
                let body = try APIJSON.encoder().encode(NodeStatusRequest(ensembles: [report]))
                let token = try await registry.token("node-\(UUID())", [.node])
                return try await registry.send(.post, APIPath.nodeStatus(node), bytes: Array(body), token: token)
            }
            #expect(try await send(report).status == .noContent)
            #expect(try await send(report, node: "a b").problem == .badRequest)
            var wrong = report
            wrong.state = .serving
            #expect(try await send(wrong).problem == .badRequest)
            let page: Page<NodeRecord> = try await registry.send(.get, APIPath.nodes("pets")).decoded()
            #expect(page.items.map(\.node) == ["node-1"])
            #expect(page.items.map(\.standing) == [.behind])
            #expect(page.items.first?.report == report)
        }
    }
}

extension TestResponse {
    var bytes: [UInt8] { Array(body.readableBytesView) }
}

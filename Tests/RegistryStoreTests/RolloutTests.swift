import EnsembleModel
import Foundation
import Postgres
import Testing

@testable import RegistryStore

/// Manifests that reach the nodes in stages.
@Suite struct RolloutTests {
    private static let name = StoreFixture.ensemble
    private static let policy = Policy(rollout: .init(bakeSeconds: 60))
    private static func later(_ seconds: TimeInterval) -> Date { StoreFixture.time.addingTimeInterval(seconds) }

    /// Nodes `a`, `b` and `c` in the order in which manifest 2 reaches them.
    private static let nodes = ["a", "b", "c"].sorted {
        Rollout.cohort(node: $0, sequence: 2) < Rollout.cohort(node: $1, sequence: 2)
    }

    /// A founded ensemble, three nodes that serve manifest 1, and manifest 2 published.
    nonisolated(nonsending) private static func with(
        _ body: nonisolated(nonsending) (StoreFixture) async throws -> Void
    ) async throws {
        try await StoreFixture.withEnsemble(policy: policy) { fixture in
            try await fixture.found()
            await #expect(throws: StoreError.self) { try await fixture.store.rollout(ensemble: name, now: later(0)) }
            try await report(nodes, serving: 1, fixture)
            try await fixture.submit("m3@1", seed: 7)
            #expect(try await fixture.decideNext() == .published(sequence: 2))
            try await body(fixture)
        }
    }

    /// Has nodes say that they serve a manifest, or refuse the newest.
    nonisolated(nonsending) private static func report(
        _ nodes: [String], serving sequence: Int, refusing: Bool = false, at time: Date = later(0),
        _ fixture: StoreFixture
    ) async throws {
        let manifest = try await fixture.store.manifest(ensemble: name, sequence: sequence)
        let newest = try await fixture.store.manifest(ensemble: name)
        guard let manifest, let newest else { throw StoreFixture.Missing("a manifest") }
        let report = NodeReport(
            ensemble: name, program: "1.0", state: .serving,
            running: .init(generation: 1, sequence: sequence, sha256: manifest.sha256), attempted: newest.sha256,
            refusal: refusing ? .init(stage: .load, code: "invalid_combiner", message: "no") : nil)
        try await fixture.store.report(nodes.map { .init(node: $0, report: report) }, now: time)
    }

    private static func timestamp(_ fixture: StoreFixture) async throws -> String {
        let head = try await fixture.store.metadataHeads(of: [name]).first
        return String(decoding: head?.timestamp.bytes ?? [], as: UTF8.self)
    }

    @Test func anAdmissionGoesFromOneNodeToAll() async throws {
        try await Self.with { fixture in
            let store = fixture.store
            let first = try await store.rollout(ensemble: Self.name, now: Self.later(0))
            #expect(first.state == .baking && first.sequence == 2 && first.bakeSeconds == 60)
            #expect(first.nodes == .init(following: 3, reached: 1, serving: 0, failing: 0))
            #expect(first.share == Rollout.cohort(node: Self.nodes[0], sequence: 2) + 1)
            #expect(try await Self.timestamp(fixture) == "timestamp 2: snapshot 2, manifest 2 to \(first.share)")
            #expect(try await store.metadataHeads(of: [Self.name]).first?.rollout == first.share)
            #expect(try await store.ensemblesRollingOut() == [Self.name])
            #expect(try await store.advanceRollout(ensemble: Self.name, now: Self.later(10)) == nil)
            let standings = try await store.nodes(ensemble: Self.name).map { ($0.node, $0.standing) }
            #expect(Dictionary(uniqueKeysWithValues: standings)[Self.nodes[0]] == .behind)
            #expect(Dictionary(uniqueKeysWithValues: standings)[Self.nodes[2]] == .waiting)

            // A renewal says the same.
            let ages = RenewalAges(targetsAndSnapshot: 1000, timestamp: 0)
            #expect(try await store.renewMetadata(ensemble: Self.name, ages, now: Self.later(11)))
            #expect(try await Self.timestamp(fixture) == "timestamp 3: snapshot 2, manifest 2 to \(first.share)")

            var (now, reached) = (20.0, 1)
            while let rollout = try? await store.rollout(ensemble: Self.name, now: Self.later(now)),
                rollout.state == .baking
            {
                #expect(rollout.nodes.reached == reached)
                try await Self.report(Array(Self.nodes.prefix(reached)), serving: 2, at: Self.later(now), fixture)
                try await Self.report(Array(Self.nodes.dropFirst(reached)), serving: 1, at: Self.later(now), fixture)
                let baking = try await store.advanceRollout(ensemble: Self.name, now: Self.later(now))
                #expect(baking?.bakingSince == Self.later(now) && baking?.share == rollout.share)
                #expect(try await store.advanceRollout(ensemble: Self.name, now: Self.later(now + 59)) == nil)
                now += 60
                let next = try #require(try await store.advanceRollout(ensemble: Self.name, now: Self.later(now)))
                #expect(next.nodes.reached > reached || next.state == .complete)
                reached = next.nodes.reached
            }
            #expect(reached == 3)
            #expect(try await store.rollout(ensemble: Self.name, now: Self.later(now)).state == .complete)
            #expect(try await Self.timestamp(fixture).hasSuffix("manifest 2"))
            #expect(try await store.ensemblesRollingOut().isEmpty)
            #expect(try await store.verifyAudit() == nil)
        }
    }

    @Test func aRefusalHaltsItUntilSomebodySaysSo() async throws {
        try await Self.with { fixture in
            let store = fixture.store
            try await Self.report([Self.nodes[0]], serving: 1, refusing: true, fixture)
            let halted = try #require(try await store.advanceRollout(ensemble: Self.name, now: Self.later(1)))
            #expect(halted.state == .halted && halted.nodes.failing == 1)
            #expect(halted.reason == "\(Self.nodes[0]) refused it (load: invalid_combiner)")
            #expect(try await Self.timestamp(fixture).hasSuffix("manifest 2 to 0"))
            #expect(try await store.ensemblesRollingOut().isEmpty)
            #expect(try await store.advanceRollout(ensemble: Self.name, now: Self.later(2)) == nil)
            func steer(_ steering: RolloutSteering) async throws -> RolloutRecord {
                try await store.steerRollout(
                    ensemble: Self.name, steering, reason: "seen to", actor: "ann", now: Self.later(3))
            }
            #expect(await storeError { _ = try await steer(.halt) } == .conflict)
            let resumed = try await steer(.resume)
            #expect(resumed.state == .baking && resumed.nodes.failing == 0 && resumed.share == halted.share)
            #expect(try await Self.timestamp(fixture).hasSuffix("manifest 2 to \(halted.share)"))
            #expect(await storeError { _ = try await steer(.resume) } == .conflict)
            #expect(try await steer(.halt).reason == "ann: seen to")
            #expect(try await steer(.finish).state == .complete)
            #expect(try await Self.timestamp(fixture).hasSuffix("manifest 2"))
            #expect(await storeError { _ = try await steer(.finish) } == .conflict)
            #expect(
                await storeError {
                    _ = try await store.steerRollout(
                        ensemble: "unknown", .halt, reason: "r", actor: "ann", now: Self.later(3))
                } == .ensembleNotFound)
        }
    }

    /// What was taken and then serves nobody goes no further.
    @Test func aNodeThatFailsRequestsHaltsIt() async throws {
        try await Self.with { fixture in
            let newest = try #require(try await fixture.store.manifest(ensemble: Self.name))
            var report = NodeReport(
                ensemble: Self.name, program: "1.0", state: .serving,
                running: .init(generation: 1, sequence: 2, sha256: newest.sha256), attempted: newest.sha256,
                refusal: .init(stage: .verify, code: "expired", message: "frozen"))
            try await fixture.store.report([.init(node: Self.nodes[0], report: report)], now: Self.later(1))
            #expect(
                try await fixture.store.advanceRollout(ensemble: Self.name, now: Self.later(2))?.state == .baking)
            report.refusal = .init(stage: .runtime, code: "failing_requests", message: "20 of 20")
            try await fixture.store.report([.init(node: Self.nodes[0], report: report)], now: Self.later(3))
            let halted = try await fixture.store.advanceRollout(ensemble: Self.name, now: Self.later(4))
            #expect(halted?.reason == "\(Self.nodes[0]) refused it (runtime: failing_requests)")
            let nodes = try await fixture.store.nodes(ensemble: Self.name)
            #expect(nodes.first { $0.node == Self.nodes[0] }?.standing == .failing)
        }
    }

    /// A download that broke off is tried again: it is not the manifest's fault.
    @Test func aBrokenDownloadHaltsNothing() async throws {
        try await Self.with { fixture in
            let newest = try #require(try await fixture.store.manifest(ensemble: Self.name))
            let report = NodeReport(
                ensemble: Self.name, program: "1.0", state: .serving,
                running: .init(generation: 1, sequence: 1, sha256: .of([])), attempted: newest.sha256,
                refusal: .init(stage: .download, code: NodeReport.Refusal.registryUnavailable, message: "cut off"))
            try await fixture.store.report([.init(node: Self.nodes[0], report: report)], now: Self.later(1))
            #expect(try await fixture.store.advanceRollout(ensemble: Self.name, now: Self.later(2)) == nil)
        }
    }

    /// What an older root's keys signed is not passed off as the new one's.
    @Test func aStepUnderANewRootSignsEverything() async throws {
        try await Self.with { fixture in
            try await fixture.store.addRoot([2], version: 2, actor: "ann", now: Self.later(1))
            let store = fixture.signing(with: PlainSigner(rootVersion: 2))
            _ = try await store.steerRollout(
                ensemble: Self.name, .halt, reason: "r", actor: "ann", now: Self.later(2))
            #expect(try await Self.timestamp(fixture) == "timestamp 3: snapshot 3, manifest 2 to 0")
            let snapshot = try await store.signedMetadata(ensemble: Self.name, role: .snapshot, version: 3)
            #expect(snapshot.map { String(decoding: $0, as: UTF8.self) } == "snapshot 3: targets 3")
        }
    }

    /// Who is on call goes back, and at once, whatever is under way.
    @Test func aRollbackEndsItAndReachesAllNodes() async throws {
        try await Self.with { fixture in
            _ = try await fixture.store.rollBack(
                ensemble: Self.name, to: 1, reason: "latency", actor: "ann", now: Self.later(1))
            #expect(try await Self.timestamp(fixture).hasSuffix("manifest 3"))
            #expect(
                await storeError {
                    _ = try await fixture.store.rollout(ensemble: Self.name, now: Self.later(1))
                } == .notFound)
            #expect(try await fixture.number("SELECT count(*) FROM rollout WHERE state = 'superseded'") == 1)
            #expect(try await fixture.store.advanceRollout(ensemble: Self.name, now: Self.later(100)) == nil)
        }
    }

    @Test func daemonsThatAdvanceAtOnceDoItOnce() async throws {
        try await Self.with { fixture in
            try await Self.report([Self.nodes[0]], serving: 1, refusing: true, fixture)
            let store = fixture.store
            let done = try await withThrowingTaskGroup(of: RolloutRecord?.self) { group in
                for _ in 0..<8 {
                    group.addTask { try await store.advanceRollout(ensemble: Self.name, now: Self.later(1)) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(done.count { $0 != nil } == 1)
            #expect(try await fixture.number("SELECT revision FROM rollout") == 2)
        }
    }

    @Test func whatIsOverStaysSo() async throws {
        try await Self.with { fixture in
            for statement in [
                "UPDATE rollout SET share = 1, revision = revision + 1", "UPDATE rollout SET baking_since = now()",
                "DELETE FROM rollout", "TRUNCATE rollout",
                "UPDATE rollout SET state = 'complete', revision = revision + 1",
                "UPDATE rollout SET state = 'halted', revision = revision + 1",
            ] {
                await #expect(throws: PostgresError.self, "\(statement)") {
                    try await fixture.client.execute(SQL(unsafe: statement))
                }
            }
        }
    }
}

import EnsembleModel
import Foundation
import HTTPTypes
import Logging
import Postgres
import RegistryAPI
import RegistryStore
import RegistryTesting
import RegistryWorker
import Testing

/// Decisions computed again from what is stored.
@Suite struct ReplayTests {
    /// Founds an ensemble and judges a strong and a useless challenger by the gate.
    private func decide(_ registry: RegistryHarness) async throws -> [DecisionRecord] {
        let task = try SimulatedTask(rowCount: 600)
        _ = try await registry.create("pets", task, policy: #"{"preset":"standard","budget":{"members":3}}"#)
        for (model, skill) in [("weak@1", 0.4), ("fair@1", 0.8)] {
            _ = try await registry.submit(
                model, to: "pets", task, task.predictions(skill: skill, seed: UInt64(skill * 100)))
        }
        _ = try await registry.send(.post, APIPath.found("pets"))
        try await registry.settle()
        for (seed, (model, skill)) in [("good@1", 3.0), ("noise@1", 0)].enumerated() {
            _ = try await registry.submit(
                model, to: "pets", task, task.predictions(skill: skill, seed: UInt64(seed + 9)))
            try await registry.settle()
        }
        let page: Page<DecisionRecord> = try await registry.send(.get, APIPath.decisions("pets")).decoded()
        return page.items
    }

    private func replay(_ decision: Int64, _ registry: RegistryHarness) async throws -> EvaluationRecord {
        let queued: EvaluationRecord = try await registry.send(.post, APIPath.replay(decision: decision)).decoded()
        #expect(queued.kind == .replay && queued.replays == decision)
        let again: EvaluationRecord = try await registry.send(.post, APIPath.replay(decision: decision)).decoded()
        #expect(again.id == queued.id, "asking twice is asking once")
        try await registry.settle()
        return try await registry.send(.get, APIPath.evaluation(queued.id)).decoded()
    }

    private func findings(_ evaluation: EvaluationRecord, _ registry: RegistryHarness) async throws -> ReplayRecord {
        #expect(evaluation.state == .replayed, "\(evaluation.failure ?? "")")
        return try await registry.send(.get, APIPath.replay(evaluation: evaluation.id)).decoded()
    }

    /// Changes what the schema forbids to change, as somebody with the database's password could.
    private func tamper(_ table: String, _ statement: SQL, in registry: RegistryHarness) async throws {
        let configuration = PostgresConfiguration(connectionString: registry.database)
        try await PostgresClient.withClient(configuration: configuration, logger: Logger(label: "test")) { client in
            try await client.execute("ALTER TABLE \(identifier: table) DISABLE TRIGGER USER")
            #expect(try await client.execute(statement) > 0)
        }
    }

    @Test func everyDecisionComesOutTheSameBitForBit() async throws {
        try await RegistryHarness.with { registry in
            let decisions = try await decide(registry)
            #expect(decisions.map(\.verdict) == [.rejectNoGain, .admit, .admit], "\(decisions.map(\.reason))")
            for decision in decisions {
                let record = try await findings(replay(decision.id, registry), registry)
                #expect(record.identical && record.differences.isEmpty, "\(record.differences)")
                #expect(record.recomputed == decision.evidence && record.stored == decision.evidence)
            }
            // A replay is no evaluation: nothing was decided, spent or published.
            let page: Page<DecisionRecord> = try await registry.send(.get, APIPath.decisions("pets")).decoded()
            #expect(page.items.count == decisions.count)
        }
    }

    @Test func evidenceFromBeforeThereWereSegmentsIsReplayedWithoutThem() async throws {
        try await RegistryHarness.with { registry in
            let admitted = try #require(try await decide(registry).first { $0.model?.name == "good" })
            var evidence: Evidence = try await registry.send(.get, APIPath.evidence(admitted.id)).decoded()
            #expect(evidence.commitment != nil && evidence.segments?.isEmpty == false)
            evidence.segments = nil
            let (json, digest) = (
                String(decoding: try JSONEncoder().encode(evidence), as: UTF8.self), try evidence.digest
            )
            try await tamper(
                "evaluation_outcome",
                """
                UPDATE evaluation_outcome SET evidence = convert_to(\(json), 'UTF8'), evidence_sha256 = \(digest.hex)
                WHERE evaluation_id = \(admitted.evaluation)
                """, in: registry)
            let record = try await findings(replay(admitted.id, registry), registry)
            #expect(record.identical, "\(record.differences)")
            #expect(record.stored == digest && record.recomputed == digest)
        }
    }

    @Test func whatWasChangedSinceIsNamed() async throws {
        try await RegistryHarness.with { registry in
            let admitted = try #require(try await decide(registry).first { $0.model?.name == "good" })
            try await tamper(
                "evaluation_outcome",
                """
                UPDATE evaluation_outcome
                SET evidence = convert_to(replace(convert_from(evidence, 'UTF8'), '"submitter":"tester"',
                                                  '"submitter":"ann"'), 'UTF8')
                WHERE evaluation_id = \(admitted.evaluation)
                """, in: registry)
            let record = try await findings(replay(admitted.id, registry), registry)
            #expect(!record.identical)
            // The submitter is an input: the recomputed evidence follows the changed one, the recorded digest does not.
            #expect(record.differences.contains { $0.path.hasPrefix("evidence (digest") }, "\(record.differences)")

            try await tamper(
                "evaluation_outcome",
                """
                UPDATE evaluation_outcome
                SET sealed_evidence = convert_to(replace(convert_from(sealed_evidence, 'UTF8'), '"passed":true',
                                                         '"passed":false'), 'UTF8')
                WHERE evaluation_id = \(admitted.evaluation)
                """, in: registry)
            let sealed = try await findings(replay(admitted.id, registry), registry)
            let change = try #require(sealed.differences.first { $0.path == "sealed.gate.passed" })
            #expect(change.stored == "false" && change.recomputed == "true")
        }
    }

    @Test func damagedPredictionsFailTheReplay() async throws {
        try await RegistryHarness.with { registry in
            let admitted = try #require(try await decide(registry).first { $0.model?.name == "good" })
            try await tamper(
                "prediction_block",
                """
                UPDATE prediction_block
                SET probabilities = set_byte(probabilities, 2, 99 # get_byte(probabilities, 2))
                """,
                in: registry)
            // A worker that has read the right ones would not notice.
            let fresh = try registry.withFreshWorker()
            _ = try await fresh.send(.post, APIPath.replay(decision: admitted.id))
            let queued: EvaluationRecord = try await fresh.send(.post, APIPath.replay(decision: admitted.id)).decoded()
            for _ in 0..<3 { _ = await fresh.worker.workOnce() }
            let failed: EvaluationRecord = try await fresh.send(.get, APIPath.evaluation(queued.id)).decoded()
            #expect(failed.state == .failed)
            #expect(failed.failure?.contains("do not match their digest") == true, "\(failed.failure ?? "")")
        }
    }

    @Test func replaysNeedTheAuditScope() async throws {
        try await RegistryHarness.with { registry in
            let (_, reader) = try await registry.store.createToken(
                name: "reader", scopes: [.read, .submit], actor: "t")
            #expect(
                try await registry.send(.post, APIPath.replay(decision: 1), token: reader).problem == .forbidden)
            #expect(
                try await registry.send(.get, APIPath.replay(evaluation: 1), token: reader).problem == .forbidden)
            #expect(try await registry.send(.post, APIPath.replay(decision: 1)).problem == .notFound)
            #expect(try await registry.send(.get, APIPath.replay(evaluation: 1)).problem == .notFound)
        }
    }

    /// The scope audit alone is enough for all that `registry replay --all` asks.
    @Test func anAuditorNeedsNoOtherScope() async throws {
        try await RegistryHarness.with { registry in
            _ = try await decide(registry)
            let (_, auditor) = try await registry.store.createToken(name: "auditor", scopes: [.audit], actor: "t")
            let page: Page<DecisionRecord> = try await registry.send(
                .get, APIPath.decisions("pets"), token: auditor
            ).decoded()
            let decision = try #require(page.items.first)
            let queued: EvaluationRecord = try await registry.send(
                .post, APIPath.replay(decision: decision.id), token: auditor
            ).decoded()
            try await registry.settle()
            let replayed: EvaluationRecord = try await registry.send(
                .get, APIPath.evaluation(queued.id), token: auditor
            ).decoded()
            #expect(replayed.state == .replayed)
        }
    }
}

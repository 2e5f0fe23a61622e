import EnsembleModel
import Foundation
import Logging
import Postgres
import RegistryTesting
import Testing

@testable import RegistryStore

@Suite struct PublishTests {
    @Test func aFoundingPublishesTheFirstManifest() async throws {
        try await StoreFixture.withEnsemble { fixture in
            let store = fixture.store
            #expect(
                await storeError { _ = try await store.requestFounding(ensemble: "letters", actor: "ann") }
                    == .noCandidates)
            try await fixture.submit(
                "b@1", seed: 1, metadata: ModelMetadata(artifactURI: "s3://b", latencyNanoseconds: 5))
            try await fixture.submit("a@1", seed: 2)
            _ = try await store.requestFounding(ensemble: "letters", actor: "ann")
            let claim = try await fixture.claim()
            let outcome = try claim.outcome(.admit)
            try await fixture.complete(claim)
            #expect(
                try await store.publish(evaluation: claim.evaluation, now: StoreFixture.time) == .published(sequence: 1)
            )

            let record = try await store.ensemble("letters")
            #expect((record.sequence, record.epoch.preset) == (1, .small))
            #expect(record.members.map(\.description) == ["a@1", "b@1"])
            let published = try #require(try await store.manifest(ensemble: "letters"))
            #expect(
                published.sha256 == .of(published.bytes) && published.sha256 == record.manifest
                    && published.sequence == 1)
            let manifest = try JSONDecoder().decode(Manifest.self, from: Data(published.bytes))
            #expect(try manifest.canonicalBytes() == published.bytes)
            #expect(
                manifest.createdAt == 1_800_000_000 && manifest.previousSHA256 == nil && manifest.reason == .founding)
            #expect(manifest.members.map(\.model) == ["a", "b"] && manifest.members[1].artifact?.uri == "s3://b")
            #expect(manifest.combiner == outcome.combiner.map { Manifest.CombinerReference($0) })
            #expect(try await store.combiner(manifest.combiner.sha256) == outcome.combiner?.text)

            let decision = try await store.decision(manifest.decisionID)
            #expect(
                (decision.kind, decision.verdict, decision.sequence, decision.submission) == (.founding, .admit, 1, nil)
            )
            #expect(decision.metrics == outcome.metrics)
            #expect(
                Set(decision.utilities) == Set(outcome.utilities) && decision.utilities.count == outcome.utilities.count
            )
            #expect(try decision.evidence == outcome.evidence.digest)
            let evidence = try await JSONDecoder().decode(
                Evidence.self, from: Data(store.evidence(decision: decision.id)))
            #expect(try evidence == outcome.evidence && evidence.digest == decision.evidence)
            let promotion = try #require(try await store.promotions(ensemble: "letters").first)
            #expect((promotion.kind, promotion.actor, promotion.sequence) == (.founding, "ann", 1))
            #expect(
                promotion.joined == record.members && promotion.retired == [] && promotion.manifest == published.sha256)
            #expect(
                await storeError { _ = try await store.requestFounding(ensemble: "letters", actor: "ann") }
                    == .alreadyFounded)
            #expect(try await store.evaluation(claim.evaluation).decision == decision.id)
        }
    }

    @Test func manifestsFormAChain() async throws {
        try await StoreFixture.withEnsemble { fixture in
            let store = fixture.store
            try await fixture.found()
            try await fixture.submit("x@1", seed: 7)
            #expect(try await fixture.decideNext(.admit) == .published(sequence: 2))
            try await fixture.submit("y@1", seed: 8)
            #expect(try await fixture.decideNext(.rejectNoGain) == .decidedWithoutPromotion)
            try await fixture.submit("z@1", seed: 9)
            #expect(try await fixture.decideNext(.admitRetire, retiring: ["m1@1"]) == .published(sequence: 3))

            var previous: ContentDigest?
            for sequence in 1...3 {
                let published = try #require(try await store.manifest(ensemble: "letters", sequence: sequence))
                let manifest = try JSONDecoder().decode(Manifest.self, from: Data(published.bytes))
                #expect(manifest.sequence == sequence && manifest.previousSHA256 == previous)
                previous = published.sha256
            }
            #expect(try await store.manifest(ensemble: "letters", sequence: 4) == nil)
            #expect(try await store.ensemble("letters").members.map(\.description) == ["m2@1", "x@1", "z@1"])
            #expect(try await store.model(ModelVersionID("m1@1")).memberOf == [])
            #expect(try await store.model(ModelVersionID("z@1")).memberOf == ["letters"])

            let promotions = try await store.promotions(ensemble: "letters", limit: 2)
            #expect(promotions.map(\.kind) == [.admitRetire, .admit])
            #expect(promotions[0].joined.map(\.name) == ["z"] && promotions[0].retired.map(\.name) == ["m1"])
            #expect(promotions[0].actor == "sam")
            #expect(try await store.promotions(ensemble: "letters", after: 2).map(\.kind) == [.founding])
            let decisions = try await store.decisions(ensemble: "letters", limit: 3)
            #expect(decisions.map(\.verdict) == [.admitRetire, .rejectNoGain, .admit])
            #expect(decisions.map(\.model?.name) == ["z", "y", "x"] && decisions.map(\.sequence) == [3, nil, 2])
            #expect(
                try await store.decisions(ensemble: "letters", after: decisions.last?.id).map(\.kind) == [.founding])
            #expect(try await store.submission(#require(decisions[1].submission)).state == .decided)
            #expect(try await store.verifyAudit() == nil)
        }
    }

    @Test(arguments: ["policy", "champion"])
    func whatChangedSinceIsEvaluatedAgain(_ what: String) async throws {
        try await StoreFixture.withEnsemble { fixture in
            let store = fixture.store
            try await fixture.found()
            try await fixture.submit("x@1", seed: 7)
            let claim = try await fixture.claim()
            try await fixture.complete(claim)
            if what == "policy" {
                let policy = Policy(gate: .init(alpha: 0.05))
                _ = try await store.setPolicy(ensemble: "letters", policy: policy, reason: "", actor: "ann")
            } else {
                try await fixture.client.execute("UPDATE ensemble_head SET sequence = 0")
            }
            let counts = try await fixture.rowCounts()
            guard
                case .requeued(let reason) = try await store.publish(
                    evaluation: claim.evaluation, now: StoreFixture.time)
            else {
                Issue.record("published against another \(what)")
                return
            }
            #expect(reason.contains(what))
            #expect(try await store.evaluation(claim.evaluation).state == .queued)
            let after = try await fixture.rowCounts()
            #expect(after["decision"] == counts["decision"] && after["manifest"] == counts["manifest"])
            #expect(after["evaluation_outcome"] == 1)
            if what == "policy" {
                let again = try await fixture.claim()
                #expect((again.policyVersion, again.attempt) == (2, 1))
                #expect(again.policy.gate.alpha == 0.05)
                try await fixture.complete(again)
                #expect(
                    try await store.publish(evaluation: again.evaluation, now: StoreFixture.time)
                        == .published(sequence: 2))
                #expect(try await store.decisions(ensemble: "letters").first?.policyVersion == 2)
            }
        }
    }

    @Test func publishersAtOnceDecideOnce() async throws {
        try await StoreFixture.withEnsemble { fixture in
            try await fixture.found()
            for round in 2...6 {
                try await fixture.submit("x@\(round)", seed: round)
                let claim = try await fixture.claim()
                try await fixture.complete(claim)
                let results = try await withThrowingTaskGroup(of: RegistryStore.Publication.self) { group in
                    for _ in 0..<8 {
                        group.addTask {
                            try await fixture.store.publish(evaluation: claim.evaluation, now: StoreFixture.time)
                        }
                    }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                #expect(results.filter { $0 == .published(sequence: round) }.count == 1)
                #expect(results.filter { $0 == .gone }.count == 7)
            }
        }
    }

    /// Without the head's lock and the re-check, several outcomes against the same champion would all be published.
    @Test func outcomesAgainstTheSameChampionAreNotAllPublished() async throws {
        try await StoreFixture.withEnsemble { fixture in
            let store = fixture.store
            try await fixture.client.execute("DROP INDEX evaluation_one_in_flight")
            try await fixture.found()
            var claims: [RegistryStore.Claim] = []
            for index in 0..<6 {
                try await fixture.submit("x@\(index)", seed: index + 10)
                // Earlier ones are set aside, so that this one can be claimed as well.
                try await fixture.client.execute(
                    "UPDATE evaluation SET state = 'failed', finished_at = now() WHERE state = 'evaluated'")
                let claim = try await fixture.claim()
                try await fixture.complete(claim)
                claims.append(claim)
            }
            try await fixture.client.execute(
                "UPDATE evaluation SET state = 'evaluated', finished_at = NULL WHERE state = 'failed'")
            let results = try await withThrowingTaskGroup(of: RegistryStore.Publication.self) { group in
                for claim in claims {
                    group.addTask { try await store.publish(evaluation: claim.evaluation, now: StoreFixture.time) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(results.filter { $0 == .published(sequence: 2) }.count == 1)
            #expect(results.filter { if case .requeued = $0 { true } else { false } }.count == 5)
            #expect(try await store.ensemble("letters").sequence == 2)
        }
    }

    /// Workers and publishers race until everything is decided: one decision each, and no number twice or left out.
    @Test func racingWorkersAndPublishersLeaveAnUnbrokenSequence() async throws {
        let newcomers = 12
        try await StoreFixture.withEnsemble { fixture in
            let store = fixture.store
            try await fixture.found()
            for index in 0..<newcomers { try await fixture.submit("x\(index)@1", seed: index + 10) }
            @Sendable func isOpen() async throws -> Bool {
                try await fixture.number("SELECT count(*) FROM evaluation WHERE state <> 'decided'") > 0
            }
            let published = try await withThrowingTaskGroup(of: [Int].self) { group in
                for worker in 0..<3 {
                    group.addTask {
                        while try await isOpen() {
                            // One worker's leases are over at once: others take its evaluations over meanwhile.
                            let lease = Duration.seconds(worker == 0 ? -1 : 60)
                            guard let claim = try await store.claim(worker: "w\(worker)", lease: lease) else {
                                continue
                            }
                            do {
                                try await fixture.complete(claim)
                            } catch let error as StoreError where error.code == .leaseLost {}
                            // After three such losses it has failed.
                            if try await store.evaluation(claim.evaluation).state == .failed {
                                _ = try? await store.retry(evaluation: claim.evaluation, actor: "ann")
                            }
                        }
                        return []
                    }
                }
                for _ in 0..<4 {
                    group.addTask {
                        var sequences: [Int] = []
                        while try await isOpen() {
                            guard let id = try await store.nextEvaluated() else { continue }
                            if case .published(let sequence) = try await store.publish(
                                evaluation: id, now: StoreFixture.time)
                            {
                                sequences.append(sequence)
                            }
                        }
                        return sequences
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(published.sorted() == Array(2...(newcomers + 1)))
            let decisions = try await store.decisions(ensemble: "letters")
            #expect(Set(decisions.map(\.evaluation)).count == newcomers + 1 && decisions.count == newcomers + 1)
            let promotions = try await store.promotions(ensemble: "letters")
            #expect(promotions.map(\.sequence) == (1...(newcomers + 1)).reversed())
            #expect(try await store.verifyAudit() == nil)
        }
    }

    @Test func aCandidateThatCameDuringTheFoundingIsEvaluatedAfterIt() async throws {
        try await StoreFixture.withEnsemble { fixture in
            let store = fixture.store
            try await fixture.submit("m@1")
            _ = try await store.requestFounding(ensemble: "letters", actor: "ann")
            let claim = try await fixture.claim()
            let late = try await fixture.submit("late@1", seed: 2).record
            #expect(late.state == .candidate)
            try await fixture.complete(claim)
            _ = try await store.publish(evaluation: claim.evaluation, now: StoreFixture.time)
            #expect(try await store.submission(late.id).state == .queued)
            #expect(try await store.submissions(ensemble: "letters").last?.state == .candidate)
            #expect(try await fixture.claim().challenger?.name == "late")
        }
    }

    @Test func aFoundingThatIsRejectedMayBeAskedForAgain() async throws {
        try await StoreFixture.withEnsemble { fixture in
            try await fixture.submit("m@1")
            _ = try await fixture.store.requestFounding(ensemble: "letters", actor: "ann")
            #expect(try await fixture.decideNext(.rejectNoGain) == .decidedWithoutPromotion)
            #expect(try await fixture.store.ensemble("letters").sequence == 0)
            _ = try await fixture.store.requestFounding(ensemble: "letters", actor: "ann")
            #expect(try await fixture.decideNext(.admit) == .published(sequence: 1))
        }
    }

    @Test func onlyAPromotionNotifies() async throws {
        try await StoreFixture.withEnsemble { fixture in
            var notifications = fixture.client.listen(RegistryStore.promotionChannel).makeAsyncIterator()
            #expect(try await notifications.next() == .subscribed)
            try await fixture.submit("m@1")
            for verdict in [Verdict.rejectNoGain, .admit] {
                _ = try await fixture.store.requestFounding(ensemble: "letters", actor: "ann")
                _ = try await fixture.decideNext(verdict)
                if verdict == .rejectNoGain {
                    try await fixture.client.execute("SELECT pg_notify('registry_promotion', 'mark')")
                }
            }
            // Nothing came before the mark.
            #expect(try await notifications.next() == .message(payload: "mark"))
            #expect(try await notifications.next() == .message(payload: ""))
        }
    }

    /// The server ends the connection while it commits: nothing was decided, and the next call decides.
    @Test func aPublicationThatIsCutOffCanBeRepeated() async throws {
        try await StoreFixture.withEnsemble { fixture in
            let store = fixture.store
            try await fixture.found()
            try await fixture.submit("x@1", seed: 7)
            let claim = try await fixture.claim()
            try await fixture.complete(claim)
            try await fixture.client.execute(
                """
                CREATE FUNCTION cut_off() RETURNS trigger LANGUAGE plpgsql AS
                'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END'
                """)
            try await fixture.client.execute(
                """
                CREATE CONSTRAINT TRIGGER cut_off AFTER INSERT ON decision DEFERRABLE INITIALLY DEFERRED
                FOR EACH ROW EXECUTE FUNCTION cut_off()
                """)
            let counts = try await fixture.rowCounts()
            let code = await storeError {
                _ = try await store.publish(evaluation: claim.evaluation, now: StoreFixture.time)
            }
            #expect(code == .databaseUnavailable)
            #expect(try await fixture.rowCounts() == counts)
            #expect(try await store.publication(of: claim.evaluation) == nil)
            try await fixture.client.execute("DROP TRIGGER cut_off ON decision")
            #expect(
                try await store.publish(evaluation: claim.evaluation, now: StoreFixture.time) == .published(sequence: 2)
            )
            #expect(try await store.publication(of: claim.evaluation) == .published(sequence: 2))
        }
    }

    /// The answer to COMMIT is lost although it took effect: the caller still learns what was published.
    @Test(arguments: [Verdict.admit, .rejectNoGain])
    func aCommitWhoseAnswerIsLostIsFoundOut(_ verdict: Verdict) async throws {
        try await StoreFixture.withEnsemble { fixture in
            try await fixture.found()
            try await fixture.submit("x@1", seed: 7)
            let claim = try await fixture.claim()
            try await fixture.complete(claim, verdict)
            let place = try #require(fixture.connectionString.firstMatch(of: /host='([^']+)' port='([0-9]+)'/))
            let port = try #require(Int(place.2))
            try await ScratchDirectory.with { scratch in
                let cutter = try CommitCutter(directory: scratch.path, upstream: String(place.1), port: port)
                cutter.start()
                let client = PostgresClient(
                    configuration: PostgresConfiguration(
                        connectionString: fixture.connectionString.replacing(place.1, with: scratch.path)),
                    logger: Logger(label: "cut", factory: { _ in SwiftLogNoOpLogHandler() }))
                let store = RegistryStore(client: client, logger: fixture.store.logger, signer: PlainSigner())
                let publication = try await store.publish(evaluation: claim.evaluation, now: StoreFixture.time)
                #expect(publication == (verdict == .admit ? .published(sequence: 2) : .decidedWithoutPromotion))
                #expect(cutter.cutCount == 1)
                #expect(try await store.publish(evaluation: claim.evaluation, now: StoreFixture.time) == .gone)
                await client.shutdown()
                cutter.stop()
            }
            #expect(try await fixture.number("SELECT count(*) FROM decision") == 2)
        }
    }

    @Test(
        arguments: [
            "policy_version", "validation_set", "validation_row_block", "model_version", "submission",
            "prediction_block", "combiner",
            "evaluation_outcome", "utility_score", "decision", "manifest", "promotion", "audit_event",
        ])
    func whatADecisionRestsOnCannotBeChanged(_ table: String) async throws {
        try await StoreFixture.withEnsemble { fixture in
            try await fixture.found()
            let column = try #require(
                try await fixture.client.query(
                    """
                    SELECT column_name::text FROM information_schema.columns
                    WHERE table_name = \(table) AND is_generated = 'NEVER' AND is_identity = 'NO'
                    ORDER BY ordinal_position LIMIT 1
                    """
                ).first?.decode(String.self))
            let statements: [SQL] = [
                "UPDATE \(identifier: table) SET \(identifier: column) = \(identifier: column)",
                "DELETE FROM \(identifier: table)",
                "TRUNCATE \(identifier: table) CASCADE",
            ]
            let before = try await fixture.number("SELECT count(*) FROM \(identifier: table)")
            #expect(before > 0)
            for statement in statements {
                await #expect(throws: PostgresError.self, "\(statement.text)") {
                    try await fixture.client.execute(statement)
                }
            }
            #expect(try await fixture.number("SELECT count(*) FROM \(identifier: table)") == before)
        }
    }
}

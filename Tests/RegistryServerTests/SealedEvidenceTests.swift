import EnsembleModel
import Foundation
import HTTPTypes
import HummingbirdTesting
import Logging
import NIOCore
import RegistryAPI
import RegistryStore
import RegistryTesting
import Synchronization
import Testing
import Yams

/// What sealed rows said reaches auditors, and nobody else by any way.
@Suite struct SealedEvidenceTests {
    /// An ensemble with an admission, a refusal by the gate, a duplicate and an admission that waits for approval, all
    /// by real evaluations.
    private struct Scene {
        let registry: RegistryHarness
        let admitted: DecisionRecord
        let refused: DecisionRecord
        let duplicate: DecisionRecord
        let pending: DecisionRecord
        let models: [String]
        let submitter: String
        let log: CapturedLog

        static func with(_ body: @escaping @Sendable (Scene) async throws -> Void) async throws {
            let log = CapturedLog()
            var logger = Logger(label: "captured") { _ in log }
            logger.logLevel = .trace
            try await RegistryHarness.with(logger: logger) { registry in
                let submitter = try await registry.token("sam", [.submit])
                let task = try SimulatedTask(rowCount: 1000)
                // Members are looked at for retirement, so that this table is not empty.
                let policy =
                    #"{"preset":"standard","budget":{"members":4},"gate":{"minimum_gain":0.02},"#
                    + #""retirement":{"tenure":0},"rollout":{}}"#
                _ = try await registry.create("pets", task, policy: policy)
                for (model, skill) in [("weak@1", 0.4), ("fair@1", 0.8)] {
                    _ = try await registry.submit(
                        model, to: "pets", task, task.predictions(skill: skill, seed: UInt64(skill * 100)))
                }
                _ = try await registry.send(.post, APIPath.found("pets"))
                try await registry.settle()
                func decide(_ model: String, _ predictions: Predictions) async throws -> DecisionRecord {
                    let submitted: SubmissionRecord = try await registry.send(
                        .post, "\(APIPath.submissions("pets"))?model=\(model)", body: task.csv(predictions),
                        token: submitter
                    ).decoded()
                    try await registry.settle()
                    let decided: SubmissionRecord = try await registry.send(.get, APIPath.submission(submitted.id))
                        .decoded()
                    return try await registry.send(
                        .get, APIPath.decision(#require(decided.evaluation?.decision))
                    ).decoded()
                }
                let good = try task.predictions(skill: 3, seed: 7)
                let admitted = try await decide("good@1", good)
                // Useful on open rows, but by less than the policy asks of sealed ones.
                let refused = try await decide("slight@1", task.predictions(skill: 0.6, seed: 9))
                let duplicate = try await decide("copy@1", good)
                let asking = policy.replacing(#"{"preset""#, with: #"{"approval":"one","preset""#)
                _ = try await registry.send(.put, APIPath.policy("pets"), body: #"{"policy":\#(asking)}"#)
                let pending = try await decide("waits@1", task.predictions(skill: 3, seed: 8))
                try await body(
                    Scene(
                        registry: registry, admitted: admitted, refused: refused, duplicate: duplicate,
                        pending: pending, models: ["weak@1", "fair@1", "good@1", "slight@1", "copy@1", "waits@1"],
                        submitter: submitter, log: log))
            }
        }
    }

    @Test func auditorsReadWhatTheOpenEvidenceCommitsTo() async throws {
        try await Scene.with { scene in
            let registry = scene.registry
            #expect(scene.admitted.verdict.isAdmission && scene.refused.verdict == .rejectNoGain)
            #expect(scene.duplicate.verdict == .rejectDuplicate)
            let auditor = try await registry.token("ada", [.audit])
            for (decision, passed) in [(scene.admitted, true), (scene.refused, false)] {
                let evidence: Evidence = try await registry.send(
                    .get, APIPath.evidence(decision.id), token: scene.submitter
                ).decoded()
                #expect(try evidence.digest == decision.evidence)
                let answer = try await registry.send(.get, APIPath.sealedEvidence(decision.id), token: auditor)
                #expect(answer.headers[.cacheControl] == "no-store")
                let sealed: SealedEvidence = try answer.decoded()
                #expect(try sealed.digest == evidence.commitment)
                #expect(sealed.gate.passed == passed)
            }
            let nothing = try await registry.send(.get, APIPath.sealedEvidence(scene.duplicate.id), token: auditor)
            #expect(nothing.problem == .notFound)
            #expect(try nothing.decoded(as: Problem.self).detail.contains("nothing was sealed in decision"))
            let founding = try await registry.send(.get, APIPath.sealedEvidence(1), token: auditor)
            #expect(try founding.decoded(as: Problem.self).detail.contains("figures of all rows"))
            #expect(try await registry.send(.get, APIPath.sealedEvidence(99), token: auditor).problem == .notFound)
            for scope in [Scope.read, .submit, .node] {
                let token = try await registry.token("nosy", [scope])
                let answer = try await registry.send(.get, APIPath.sealedEvidence(scene.admitted.id), token: token)
                #expect(answer.problem == .forbidden)
            }
            let readings = try await Psql.run(
                "SELECT actor, subject FROM audit_event WHERE action = 'evidence.read_sealed' ORDER BY id",
                on: registry.database)
            #expect(readings == "ada|decision \(scene.admitted.id)\nada|decision \(scene.refused.id)")
            #expect(try await registry.store.verifyAudit() == nil)

            try await Psql.run(
                """
                ALTER TABLE evaluation_outcome DISABLE TRIGGER USER;
                UPDATE evaluation_outcome SET sealed_evidence = convert_to(
                    replace(convert_from(sealed_evidence, 'UTF8'), '"passed":false', '"passed":true'), 'UTF8');
                UPDATE evaluation_outcome SET evidence = convert_to(
                    replace(convert_from(evidence, 'UTF8'), 'slight@1', 'slight@2'), 'UTF8')
                """, on: registry.database)
            for path in [APIPath.sealedEvidence(scene.refused.id), APIPath.evidence(scene.refused.id)] {
                let answer = try await registry.send(.get, path, token: auditor)
                #expect(answer.problem == .internalError)
                #expect(try answer.decoded(as: Problem.self).detail.contains("does not match its digest"))
            }
        }
    }

    @Test func nobodyElseSeesAFigureOfSealedRowsByAnyRoute() async throws {
        try await Scene.with { scene in
            let registry = scene.registry
            var (values, nonces, derived) = (Set<Double>(), [String](), Set<Double>())
            #expect(scene.pending.approval?.state == .pending)
            for decision in [scene.admitted, scene.refused, scene.pending] {
                let open = try await registry.store.evidence(decision: decision.id)
                let evidence = try JSONDecoder().decode(Evidence.self, from: Data(open))
                let sealed: SealedEvidence = try await registry.send(.get, APIPath.sealedEvidence(decision.id))
                    .decoded()
                #expect(decision.id == scene.refused.id || !sealed.guardrails.isEmpty && !sealed.retirements.isEmpty)
                values.formUnion(
                    doubles(in: try CanonicalValue(encoding: sealed))
                        .subtracting(doubles(in: try CanonicalValue(encoding: evidence))))
                nonces.append(sealed.nonce.hex)
                derived.formUnion(Self.overAllRows(evidence, sealed))
            }
            let secret = FigureScan(values, digests: nonces)
            try #require(secret.needles.count > 50)
            // With figures over all rows anybody could work out those of sealed rows.
            let forbidden = FigureScan(
                values.union(derived),
                digests: nonces + [try await Psql.run("SELECT seal_key FROM epoch", on: registry.database)])
            try #require(forbidden.needles.count >= secret.needles.count + 4 + 4)

            let auditor = try await registry.token("ada", [.audit])
            let audited = try await Self.walk(scene, token: auditor)
            #expect(secret.hits(in: audited.text) == secret.needles, "an auditor sees all of it")
            for scope in [Scope.read, .submit, .node] {
                let seen = try await Self.walk(scene, token: registry.token("nosy", [scope]))
                #expect(seen.answered > 0 && seen.text.count > 1000)
                let hits = forbidden.hits(in: seen.text)
                #expect(hits.isEmpty, "\(scope): \(hits.map { Double(bitPattern: $0) })")
            }
            let logged = scene.log.bytes
            #expect(logged.count > 500)
            let hits = forbidden.hits(in: logged)
            #expect(hits.isEmpty, "the log: \(hits.map { Double(bitPattern: $0) })")
        }
    }

    /// A challenger's figures over all rows, from both parts.
    private static func overAllRows(_ evidence: Evidence, _ sealed: SealedEvidence) -> [Double] {
        let (open, closed) = (Double(evidence.split.openRows), Double(evidence.split.sealedRows))
        func mean(_ first: Double, _ second: Double) -> Double {
            (open * first + closed * second) / (open + closed)
        }
        var values: [Double] = []
        for row in evidence.metrics where row.subject == .model && row.model == evidence.challenger {
            for other in sealed.metrics where other.subject == row.subject && other.model == row.model {
                values.append(mean(row.metrics.logLoss, other.metrics.logLoss))
            }
        }
        for set in evidence.tried where set.members.contains(where: { $0 == evidence.challenger }) {
            for other in sealed.losses where other.members == set.members {
                values.append(mean(set.logLoss, other.logLoss))
            }
        }
        return values
    }

    /// The bodies and headers of every GET route of the description, with all parameters there are.
    private static func walk(_ scene: Scene, token: String) async throws -> (text: [UInt8], answered: Int) {
        let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Sources/RegistryServer/openapi.yaml")
        let document = try #require(Yams.load(yaml: String(contentsOf: file, encoding: .utf8)) as? [String: Any])
        let paths = try #require(document["paths"] as? [String: [String: Any]])
        var (text, answered) = ([UInt8](), 0)
        for (path, item) in paths.sorted(by: { $0.key < $1.key }) where item["get"] != nil {
            // A finished replay is for auditors alone, whatever it says: ReplayTests.
            var exists = path.hasSuffix("/replay")
            for filled in try await fill(path, scene) {
                let answer = try await scene.registry.send(
                    .get, filled, headers: [.cookie: "registry_token=\(token)"], token: token)
                for field in answer.headers { text += Array("\(field.name): \(field.value)\n".utf8) }
                text += answer.body.readableBytesView
                text.append(UInt8(ascii: "\n"))
                if answer.status == .ok { answered += 1 }
                if [.ok, .forbidden, .seeOther].contains(answer.status) { exists = true }
            }
            #expect(exists, "\(path) was not reached: fill its parameters here")
        }
        return (text, answered)
    }

    /// A path with every value of its parameters.
    private static func fill(_ path: String, _ scene: Scene) async throws -> [String] {
        guard let name = path.firstMatch(of: /\{([^}]+)\}/) else { return [path] }
        let values: [String]
        switch name.1 {
        case "name", "ensemble": values = ["pets"]
        case "file":
            let targets = try await Psql.run(
                """
                SELECT sha256 || '.manifest.json' FROM manifest UNION ALL
                SELECT sha256 || '.combiner.txt' FROM combiner
                """,
                on: scene.registry.database)
            values =
                ["timestamp.json"] + ["root", "snapshot", "targets"].map { "1.\($0).json" }
                + targets.split(separator: "\n").map(String.init)
        case "model": values = scene.models
        case "sha256":
            let hex = try await Psql.run("SELECT sha256 FROM combiner", on: scene.registry.database)
            values = hex.split(separator: "\n").map(String.init)
        default:
            // Numbers: more than there are of anything.
            values = (1...12).map(String.init)
            try #require(scene.pending.evaluation < 12)
        }
        var paths: [String] = []
        for value in values { paths += try await fill(path.replacing("{\(name.1)}", with: value), scene) }
        return paths
    }
}

/// Everything that is logged, whatever its level.
private struct CapturedLog: LogHandler {
    private final class Text: Sendable {
        let bytes = Mutex<[UInt8]>([])
    }

    private let text = Text()
    var logLevel = Logger.Level.trace
    var metadata = Logger.Metadata()

    var bytes: [UInt8] { text.bytes.withLock { $0 } }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let line = "\(event.message) \(metadata) \(event.metadata ?? [:]) \(event.error.map { "\($0)" } ?? "")\n"
        text.bytes.withLock { $0 += Array(line.utf8) }
    }
}

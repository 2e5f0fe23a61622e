import EnsembleModel
import Foundation
import RegistryAPI

/// Values with every optional set, to compare their JSON with its description.
enum Examples {
    static let date = Date(timeIntervalSince1970: 1_000_000_000)
    static let digest = ContentDigest.of("example")

    static func id(_ text: String = "minilm@3") throws -> ModelVersionID { try ModelVersionID(text) }

    static func policy() throws -> Policy {
        Policy(
            budget: Budget(members: 6, latencyMilliseconds: 20, latencyRule: .total, costUSDPer10k: 12),
            gate: .init(testsPerSubmitter: 3), approval: .two, rollout: .init())
    }

    static func ledger() -> LedgerRecord {
        LedgerRecord(
            Ledger(tests: 1, alphaSpent: 0.001, submitterTests: ["me": 1], coolDowns: ["old": 3]), gate: Policy.Gate())
    }

    static func policyRecord() throws -> PolicyRecord {
        PolicyRecord(
            ensemble: "esci", version: 2, policy: try policy(),
            changes: [PolicyChange(name: "gate.alpha", before: "0.1", after: "0.05")], reason: "r", createdAt: date,
            createdBy: "me")
    }

    static func ensemble() throws -> EnsembleRecord {
        EnsembleRecord(
            name: "esci", description: "", classes: ["a", "b"],
            epoch: .init(
                number: 1, validation: digest, salt: "s", rowCount: 1, groupCount: 1, sliceCount: 1, preset: .small,
                startedAt: date),
            policy: try policy(), policyVersion: 1, sequence: 1, manifest: digest, members: [try id()],
            ledger: ledger(), candidateCount: 1,
            createdAt: date, createdBy: "me")
    }

    static func championRows() throws -> ChampionRowsHeader {
        ChampionRowsHeader(
            ensemble: "esci", epoch: 1, salt: "s", validation: digest, rowCount: 1, classes: ["a", "b"], sequence: 1,
            members: [try id()], policy: try policy())
    }

    static func metadata() -> ModelMetadata {
        ModelMetadata(
            kind: "language", description: "d", artifactURI: "s3://a", artifactSHA256: digest, endpoint: "http://m",
            latencyNanoseconds: 1, costNanoUSDPerRow: 1, tags: ["team": "search"])
    }

    static func model() throws -> ModelVersionRecord {
        ModelVersionRecord(
            id: try id(), metadata: metadata(), createdAt: date, createdBy: "me", ensembles: ["esci"],
            memberOf: ["esci"])
    }

    static func evaluation() throws -> EvaluationRecord {
        EvaluationRecord(
            id: 1, ensemble: "esci", kind: .admission, submission: 1, replays: 1, state: .failed, attempt: 1,
            progress: EvaluationProgress(phase: "search", completed: 1, total: 2), failure: "f", decision: 1,
            createdAt: date,
            finishedAt: date)
    }

    static func replay() -> ReplayRecord {
        ReplayRecord(
            decision: 1, evaluation: 2, identical: false, stored: digest, recomputed: digest,
            differences: [.init(path: "evidence.reason", stored: "a", recomputed: "b")], decidedWith: "0.1.0",
            replayedWith: "0.1.0", seconds: 1, replayedAt: date)
    }

    static func submission() throws -> SubmissionRecord {
        SubmissionRecord(
            id: 1, ensemble: "esci", epoch: 1, model: try id(), predictions: digest, rowCount: 1, missingRowCount: 0,
            state: .decided, evaluation: try evaluation(), holdCount: 1, submittedBy: "me", createdAt: date)
    }

    static func review() -> ReviewRecord { ReviewRecord(reviewer: "ann", answer: .approve, reason: "r", at: date) }

    static func approval() -> ApprovalRecord {
        ApprovalRecord(state: .superseded, needed: 2, reviews: [review()], supersededBecause: "r")
    }

    static func decision() throws -> DecisionRecord {
        DecisionRecord(
            id: 1, ensemble: "esci", kind: .admission, evaluation: 1, submission: 1, model: try id(), verdict: .admit,
            reason: "r", admission: .shapleyTopK, policyVersion: 1, preset: .small, membersBefore: [], membersAfter: [],
            retired: [], metrics: [], utilities: [], evidence: digest, sequence: 1, decidedAt: date,
            approval: approval())
    }

    static func evidence() throws -> Evidence {
        var evidence = Evidence(
            kind: .admission, challenger: try id(), validation: digest, epochSalt: "s", rowCount: 1, groupCount: 1,
            split: .init(openRows: 1, openGroups: 1, sealedRows: 0, sealedGroups: 0, searchedRows: 1), figures: .open,
            submitter: "me", inputs: [], policy: try policy(), policyVersion: 1,
            library: .init(name: "l", version: "1", sha256: digest), preset: .small, presetLosses: [:], closeness: [],
            tried: [], search: [], screen: Comparison(gain: 1, standardError: 1), quantile: 3, ranking: [],
            membersBefore: [], membersAfter: [], verdict: .admit, reason: "r", warnings: [], ledgerBefore: Ledger(),
            ledgerAfter: Ledger(), metrics: [], utilities: [], foldModels: [], combiner: digest, commitment: digest)
        evidence.segments = [.init(kind: .class, name: "c", rowCount: 0, scores: [])]
        return evidence
    }

    static func sealedEvidence() throws -> SealedEvidence {
        SealedEvidence(
            nonce: digest,
            gate: .init(
                comparison: Comparison(gain: 1, standardError: 1), alpha: 0.1, quantile: 3, minimumGain: 0.1,
                championLoss: 1),
            guardrails: [], retirements: [], losses: [], metrics: [], retiredLossBefore: 0, retiredLossAfter: 0)
    }

    static func promotion() throws -> PromotionRecord {
        PromotionRecord(
            ensemble: "esci", sequence: 1, kind: .founding, admission: .shapleyTopK, joined: [try id()], retired: [],
            members: [try id()], actor: "me", reason: "r", decision: 1, manifest: digest, createdAt: date)
    }

    static func nodeReport() -> NodeReport {
        NodeReport(
            ensemble: "esci", program: "1", state: .serving,
            running: .init(generation: 1, sequence: 1, sha256: digest), attempted: digest,
            refusal: .init(stage: .load, code: "c", message: "m"), versions: .init(root: 1), figures: ["f": 1])
    }

    static func nodeRecord() -> NodeRecord {
        NodeRecord(
            node: "n", report: nodeReport(), standing: .refused, wanted: 1, firstReportedAt: date, reportedAt: date)
    }

    static func rollout() -> RolloutRecord {
        let rollout = ManifestRollout(
            sequence: 2, settings: .init(), state: .baking, share: 100, startedAt: date, stageStartedAt: date,
            bakingSince: date, reason: "", excused: [])
        return RolloutRecord(ensemble: "esci", rollout, nodes: [], now: date)
    }

    static func recovery() -> RecoveryRecord {
        RecoveryRecord(
            ensemble: "esci", generation: 2, sequence: 2, restoredSequence: 1,
            versions: .init(targets: 1, snapshot: 1, timestamp: 1))
    }

    static func token() throws -> TokenRecord {
        TokenRecord(id: 1, name: "ci", scopes: [.read], createdAt: date, createdBy: "me", revokedAt: date)
    }

    static func problem() throws -> Problem {
        Problem(
            .invalidUpload, detail: "d",
            faults: [.init(code: "sum", message: "m", count: 1, examples: [.init(line: 1, id: "a")])], requestID: "1")
    }

    static func manifest() throws -> Manifest {
        let golden = GoldenRows(inputs: [[0.5, 0.5]], groups: [0], rawScores: [[0.1, -0.1]])
        return try Manifest(
            ensemble: "esci", generation: 1, sequence: 2, previousSHA256: digest, createdAt: 1, reason: .admit,
            admission: .shapleyTopK, decisionID: 2, classes: ["a", "b"],
            members: [.init(id: try id(), metadata: metadata())],
            combiner: .init(Combiner(text: Array("tree".utf8), treeCount: 1, golden: golden)),
            columns: .probabilityAndGroup, golden: golden)
    }
}

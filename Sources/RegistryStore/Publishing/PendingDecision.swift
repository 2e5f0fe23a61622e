import EnsembleModel
import Postgres

/// An evaluated evaluation with what its publication needs of the outcome.
struct PendingDecision: Sendable {
    let evaluation: Int64
    let fenceToken: Int64
    let kind: EvaluationKind
    let submission: Int64?
    /// Who asked for the evaluation.
    let actor: String
    let verdict: Verdict
    let reason: String
    let preset: Policy.Preset
    let before: [ModelVersionID]
    let after: [ModelVersionID]
    /// The models whose predictions went in, as text.
    let judged: [String]
    /// SHA-256 of the evidence.
    let evidence: String
    let admission: Policy.Admission
    /// What the combiner sees of each member.
    let columns: Policy.Columns
    let combiner: Manifest.CombinerReference?
    /// Rows to check a scorer of the combiner with.
    let golden: GoldenRows?
    /// The epoch's ledger after it; nil in outcomes from before there were ledgers.
    let ledger: Ledger?
    let retiredLoss: Double?
    /// Revision of the ledger evaluated against.
    let ledgerRevision: Int?
    private let sequence: Int
    private let epoch: Int
    private let policyVersion: Int

    /// Reads and locks an evaluation that waits for publication; nil when it does not (any more).
    static func read(_ evaluation: Int64, on connection: Connection) async throws -> PendingDecision? {
        try await connection.query(
            """
            SELECT v.id, v.fence_token, v.kind, v.submission_id, v.requested_by, v.against_sequence, v.against_epoch,
                   v.against_policy_version, v.against_ledger_revision, o.ledger, o.retired_loss, p.policy,
                   o.verdict, o.reason, o.preset, o.members_before, o.members_after, o.judged,
                   o.evidence_sha256, c.sha256 AS combiner, c.bytes, c.trees, c.golden
            FROM evaluation v
            JOIN evaluation_outcome o ON o.evaluation_id = v.id
            JOIN policy_version p ON p.ensemble_id = v.ensemble_id AND p.version = v.against_policy_version
            LEFT JOIN combiner c ON c.sha256 = o.combiner_sha256
            WHERE v.id = \(evaluation) AND v.state = 'evaluated'
            FOR UPDATE OF v
            """
        ).first.map(PendingDecision.init(row:))
    }

    private init(row: Row) throws {
        evaluation = try row["id"]
        fenceToken = try row["fence_token"]
        kind = try row.value("kind")
        submission = try row["submission_id"]
        actor = try row["requested_by"]
        verdict = try row.value("verdict")
        reason = try row["reason"]
        preset = try row.value("preset")
        before = try row.models("members_before")
        after = try row.models("members_after")
        judged = try row["judged"]
        evidence = try row["evidence_sha256"]
        let policy = try row.json("policy", as: Policy.self)
        admission = policy.admission
        columns = policy.columns
        combiner = try row.optionalDigest("combiner").map {
            Manifest.CombinerReference(sha256: $0, bytes: try row["bytes"], trees: try row["trees"])
        }
        golden = combiner == nil ? nil : try row.json("golden", as: GoldenRows.self)
        ledgerRevision = try row["against_ledger_revision"]
        let stored: JSON? = try row["ledger"]
        ledger = stored == nil ? nil : try row.json("ledger")
        retiredLoss = try row["retired_loss"]
        sequence = try row["against_sequence"]
        epoch = try row["against_epoch"]
        policyVersion = try row["against_policy_version"]
    }

    var promotionKind: PromotionKind {
        if before.isEmpty { return .founding }
        return verdict == .admitRetire ? .admitRetire : .admit
    }

    /// What has changed since the evaluation began, in words; nil when nothing has.
    func change(against head: EnsembleHead, ledgerRevision: Int) -> String? {
        if self.ledgerRevision != ledgerRevision { return "the ledger has changed" }
        if head.sequence != sequence { return "the champion changed from manifest \(sequence) to \(head.sequence)" }
        if head.epoch != epoch { return "epoch \(head.epoch) has begun" }
        if head.policyVersion != policyVersion {
            return "the policy changed from version \(policyVersion) to \(head.policyVersion)"
        }
        return nil
    }
}

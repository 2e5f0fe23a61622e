import EnsembleModel
import Postgres

/// An evaluated evaluation, or one that waits for approval, with what its publication needs of the outcome.
struct PendingDecision: Sendable {
    let evaluation: Int64
    let fenceToken: Int64
    let kind: EvaluationKind
    let submission: Int64?
    /// Who asked for the evaluation.
    let actor: String
    /// They, and who submitted the model: nobody of them approves of it.
    let proposers: [String]
    let verdict: Verdict
    let reason: String
    let preset: Policy.Preset
    let before: [ModelVersionID]
    let after: [ModelVersionID]
    /// The models whose predictions went in, as text.
    let judged: [String]
    /// SHA-256 of the evidence.
    let evidence: String
    /// Evaluated under this one.
    let policy: Policy
    var admission: Policy.Admission { policy.admission }
    /// What the combiner sees of each member.
    var columns: Policy.Columns { policy.columns }
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

    /// Whether the outcome is published only when people approve of it.
    var waitsForApproval: Bool { verdict.isAdmission && policy.approval != .nobody }

    /// Reads and locks an evaluation in a state: `evaluated` to be decided, `pending` to be approved; nil when it is
    /// not (any more).
    static func read(
        _ evaluation: Int64, in state: WorkState = .evaluated, on connection: Connection
    ) async throws -> PendingDecision? {
        try await connection.query(
            """
            SELECT v.id, v.fence_token, v.kind, v.submission_id, v.requested_by, s.submitted_by,
                   v.against_sequence, v.against_epoch, v.against_policy_version, v.against_ledger_revision,
                   o.ledger, o.retired_loss, p.policy, o.verdict, o.reason, o.preset, o.members_before,
                   o.members_after, o.judged, o.evidence_sha256, c.sha256 AS combiner, c.bytes, c.trees, c.golden
            FROM evaluation v
            JOIN evaluation_outcome o ON o.evaluation_id = v.id
            JOIN policy_version p ON p.ensemble_id = v.ensemble_id AND p.version = v.against_policy_version
            LEFT JOIN combiner c ON c.sha256 = o.combiner_sha256
            LEFT JOIN submission s ON s.id = v.submission_id
            WHERE v.id = \(evaluation) AND v.state = \(state.rawValue)
            FOR UPDATE OF v
            """
        ).first.map(PendingDecision.init(row:))
    }

    private init(row: Row) throws {
        evaluation = try row["id"]
        fenceToken = try row["fence_token"]
        kind = try row.value("kind")
        submission = try row["submission_id"]
        let (requester, submitter): (String, String?) = (try row["requested_by"], try row["submitted_by"])
        actor = requester
        proposers = submitter == nil || submitter == requester ? [requester] : [requester, submitter ?? requester]
        verdict = try row.value("verdict")
        reason = try row["reason"]
        preset = try row.value("preset")
        before = try row.models("members_before")
        after = try row.models("members_after")
        judged = try row["judged"]
        evidence = try row["evidence_sha256"]
        policy = try row.json("policy")
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
        self.ledgerRevision == ledgerRevision ? change(against: head) : "the ledger has changed"
    }

    /// The same but for the ledger, in which others book what they spend while this one waits.
    func change(against head: EnsembleHead) -> String? {
        if head.sequence != sequence { return "the champion changed from manifest \(sequence) to \(head.sequence)" }
        if head.epoch != epoch { return "epoch \(head.epoch) has begun" }
        if head.policyVersion != policyVersion {
            return "the policy changed from version \(policyVersion) to \(head.policyVersion)"
        }
        return nil
    }
}

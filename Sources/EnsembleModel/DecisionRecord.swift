public import struct Foundation.Date

/// A verdict as it was committed.
public struct DecisionRecord: Hashable, Sendable, Codable {
    public var id: Int64
    public var ensemble: String
    public var kind: EvaluationKind
    public var evaluation: Int64
    /// The submission judged; nil for a founding.
    public var submission: Int64?
    /// The challenger; nil for a founding.
    public var model: ModelVersionID?
    public var verdict: Verdict
    public var reason: String
    /// The rule that decided.
    public var admission: Policy.Admission
    public var policyVersion: Int
    public var preset: Policy.Preset
    public var membersBefore: [ModelVersionID]
    public var membersAfter: [ModelVersionID]
    public var retired: [ModelVersionID]
    /// What a person should look at.
    public var warnings: [Evidence.Warning]
    /// Out-of-fold metrics; empty in listings.
    public var metrics: [MetricsRow]
    /// Utilities; empty in listings.
    public var utilities: [UtilityScore]
    /// SHA-256 of the evidence's canonical form.
    public var evidence: ContentDigest
    /// Sequence of the manifest published by this decision.
    public var sequence: Int?
    public var decidedAt: Date
    /// What people say of it; nil where the policy asked for nobody's approval, and unless it promotes.
    public var approval: ApprovalRecord?

    public init(
        id: Int64, ensemble: String, kind: EvaluationKind, evaluation: Int64, submission: Int64?,
        model: ModelVersionID?,
        verdict: Verdict, reason: String, admission: Policy.Admission, policyVersion: Int, preset: Policy.Preset,
        membersBefore: [ModelVersionID], membersAfter: [ModelVersionID], retired: [ModelVersionID],
        warnings: [Evidence.Warning] = [], metrics: [MetricsRow], utilities: [UtilityScore], evidence: ContentDigest,
        sequence: Int?, decidedAt: Date, approval: ApprovalRecord? = nil
    ) {
        self.id = id
        self.ensemble = ensemble
        self.kind = kind
        self.evaluation = evaluation
        self.submission = submission
        self.model = model
        self.verdict = verdict
        self.reason = reason
        self.admission = admission
        self.policyVersion = policyVersion
        self.preset = preset
        self.membersBefore = membersBefore
        self.membersAfter = membersAfter
        self.retired = retired
        self.warnings = warnings
        self.metrics = metrics
        self.utilities = utilities
        self.evidence = evidence
        self.sequence = sequence
        self.decidedAt = decidedAt
        self.approval = approval
    }

    enum CodingKeys: String, CodingKey {
        case id, ensemble, kind, evaluation, submission, model, verdict, reason, admission, preset, retired, metrics,
            utilities
        case warnings, evidence, sequence, approval
        case policyVersion = "policy_version"
        case membersBefore = "members_before"
        case membersAfter = "members_after"
        case decidedAt = "decided_at"
    }
}

/// A published change of membership.
public struct PromotionRecord: Hashable, Sendable, Codable {
    public var ensemble: String
    /// Sequence of the manifest it published.
    public var sequence: Int
    public var kind: PromotionKind
    /// The rule that decided.
    public var admission: Policy.Admission
    public var joined: [ModelVersionID]
    public var retired: [ModelVersionID]
    /// All members after it.
    public var members: [ModelVersionID]
    /// Who caused it: the submitter, or who asked for the founding or the rollback.
    public var actor: String
    public var reason: String
    /// Nil for a rollback or a recovery: nothing was decided about a model.
    public var decision: Int64?
    /// SHA-256 of the manifest.
    public var manifest: ContentDigest
    public var createdAt: Date

    public init(
        ensemble: String, sequence: Int, kind: PromotionKind, admission: Policy.Admission, joined: [ModelVersionID],
        retired: [ModelVersionID], members: [ModelVersionID], actor: String, reason: String, decision: Int64?,
        manifest: ContentDigest, createdAt: Date
    ) {
        self.ensemble = ensemble
        self.sequence = sequence
        self.kind = kind
        self.admission = admission
        self.joined = joined
        self.retired = retired
        self.members = members
        self.actor = actor
        self.reason = reason
        self.decision = decision
        self.manifest = manifest
        self.createdAt = createdAt
    }

    enum CodingKeys: String, CodingKey {
        case ensemble, sequence, kind, admission, joined, retired, members, actor, reason, decision, manifest
        case createdAt = "created_at"
    }
}

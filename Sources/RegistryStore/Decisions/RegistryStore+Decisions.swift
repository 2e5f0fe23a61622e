public import EnsembleModel
import Postgres

extension RegistryStore {
    /// An ensemble's decisions, newest first, those before an id; without metrics and utilities.
    ///
    /// - Throws: ``StoreError`` with code `ensembleNotFound`.
    public func decisions(ensemble: String, after id: Int64? = nil, limit: Int = 100) async throws -> [DecisionRecord] {
        try await checkExists(ensemble: ensemble)
        return try await query(
            DecisionRecord.select(
                """
                WHERE e.name = \(ensemble) AND d.id < \(id ?? .max)
                ORDER BY d.id DESC LIMIT \(StoreLimits.page(limit))
                """
            )
        ) { try DecisionRecord(row: $0, metrics: [], utilities: []) }
    }

    /// A decision with its metrics, and its utilities by definition and model.
    ///
    /// - Throws: ``StoreError`` with code `notFound`.
    public func decision(_ id: Int64) async throws -> DecisionRecord {
        let utilities = try await query(
            """
            SELECT m.reference, u.kind, u.value, u.standard_error
            FROM decision d
            JOIN utility_score u USING (evaluation_id)
            JOIN model_version m ON m.id = u.model_version_id
            WHERE d.id = \(id)
            ORDER BY array_position(\(UtilityKind.allCases.map(\.rawValue)), u.kind), m.reference
            """
        ) { row in
            UtilityScore(
                model: try row.model("reference"), kind: try row.value("kind"), value: try row["value"],
                standardError: try row["standard_error"])
        }
        let records = try await query(DecisionRecord.select("WHERE d.id = \(id)")) { row in
            try DecisionRecord(row: row, metrics: try row.json("metrics"), utilities: utilities)
        }
        guard let record = records.first else { throw StoreError.notFound("decision", id) }
        return record
    }

    /// An ensemble's promotions, newest first, those before a sequence.
    ///
    /// - Throws: ``StoreError`` with code `ensembleNotFound`.
    public func promotions(ensemble: String, after sequence: Int? = nil, limit: Int = 100) async throws
        -> [PromotionRecord]
    {
        try await checkExists(ensemble: ensemble)
        return try await query(
            PromotionRecord.select(
                """
                WHERE e.name = \(ensemble) AND p.sequence < \(sequence ?? .max)
                ORDER BY p.sequence DESC LIMIT \(StoreLimits.page(limit))
                """), PromotionRecord.init(row:))
    }

    /// The promotion that published a manifest.
    ///
    /// - Throws: ``StoreError`` with code `notFound`.
    func promotion(ensemble: String, sequence: Int) async throws -> PromotionRecord {
        let records = try await query(
            PromotionRecord.select("WHERE e.name = \(ensemble) AND p.sequence = \(sequence)"),
            PromotionRecord.init(row:)
        )
        guard let record = records.first else { throw StoreError.notFound("promotion", Int64(sequence)) }
        return record
    }
}

extension DecisionRecord {
    fileprivate static func select(_ condition: SQL) -> SQL {
        """
        SELECT d.id, e.name AS ensemble, v.kind, d.evaluation_id, d.submission_id, m.reference, o.verdict, o.reason,
               p.policy, d.policy_version, o.preset, o.members_before, o.members_after, o.retired, o.metrics,
               convert_from(o.evidence, 'UTF8')::jsonb -> 'warnings' AS warnings, o.evidence_sha256, pr.sequence,
               d.decided_at, \(ApprovalRecord.columns)
        FROM decision d
        JOIN ensemble e ON e.id = d.ensemble_id
        JOIN evaluation v ON v.id = d.evaluation_id
        JOIN evaluation_outcome o ON o.evaluation_id = d.evaluation_id
        JOIN policy_version p ON p.ensemble_id = d.ensemble_id AND p.version = d.policy_version
        LEFT JOIN submission s ON s.id = d.submission_id
        LEFT JOIN model_version m ON m.id = s.model_version_id
        LEFT JOIN promotion pr ON pr.decision_id = d.id
        \(condition)
        """
    }

    fileprivate init(row: Row, metrics: [MetricsRow], utilities: [UtilityScore]) throws {
        self.init(
            id: try row["id"], ensemble: try row["ensemble"], kind: try row.value("kind"),
            evaluation: try row["evaluation_id"],
            submission: try row["submission_id"], model: try row.optionalModel("reference"),
            verdict: try row.value("verdict"),
            reason: try row["reason"], admission: try row.json("policy", as: Policy.self).admission,
            policyVersion: try row["policy_version"], preset: try row.value("preset"),
            membersBefore: try row.models("members_before"), membersAfter: try row.models("members_after"),
            retired: try row.models("retired"), warnings: try row.warnings, metrics: metrics, utilities: utilities,
            evidence: try row.digest("evidence_sha256"), sequence: try row["sequence"],
            decidedAt: try row["decided_at"],
            approval: try ApprovalRecord(row: row))
    }
}

extension Row {
    /// A decision's warnings; evidence from before there were any has none.
    fileprivate var warnings: [Evidence.Warning] {
        get throws {
            let stored: JSON? = try self["warnings"]
            return stored == nil ? [] : try json("warnings")
        }
    }
}

extension PromotionRecord {
    fileprivate static func select(_ condition: SQL) -> SQL {
        """
        SELECT e.name, p.sequence, p.kind, p.admission, p.joined, p.retired, p.members, p.actor, p.reason,
               p.decision_id, m.sha256, p.created_at
        FROM promotion p JOIN manifest m USING (ensemble_id, sequence) JOIN ensemble e ON e.id = p.ensemble_id
        \(condition)
        """
    }

    fileprivate init(row: Row) throws {
        self.init(
            ensemble: try row["name"], sequence: try row["sequence"], kind: try row.value("kind"),
            admission: try row.value("admission"), joined: try row.models("joined"), retired: try row.models("retired"),
            members: try row.models("members"), actor: try row["actor"], reason: try row["reason"],
            decision: try row["decision_id"], manifest: try row.digest("sha256"), createdAt: try row["created_at"])
    }
}

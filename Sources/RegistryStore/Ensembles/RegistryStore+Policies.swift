public import EnsembleModel
import Postgres

extension RegistryStore {
    /// A version of an ensemble's policy, or the one in force.
    ///
    /// - Throws: ``StoreError`` with code `ensembleNotFound`; `notFound` when it has no such version.
    public func policy(ensemble: String, version: Int? = nil) async throws -> PolicyRecord {
        try await checkExists(ensemble: ensemble)
        let found = try await query(
            PolicyRecord.select(
                """
                JOIN ensemble_head h ON h.ensemble_id = e.id
                WHERE e.name = \(ensemble) AND p.version = coalesce(\(version), h.policy_version)
                """), PolicyRecord.init(row:))
        guard let record = found.first else {
            throw StoreError(
                .notFound,
                "the policy of '\(ensemble)' has no version \(version ?? 0); "
                    + "`registry ensembles policy history \(ensemble)` shows those there are")
        }
        return record
    }

    /// The versions of an ensemble's policy, newest first, those before one.
    ///
    /// - Throws: ``StoreError`` with code `ensembleNotFound`.
    public func policies(ensemble: String, after version: Int? = nil, limit: Int = 100) async throws -> [PolicyRecord] {
        try await checkExists(ensemble: ensemble)
        return try await query(
            PolicyRecord.select(
                """
                WHERE e.name = \(ensemble) AND p.version < \(version ?? .max)
                ORDER BY p.version DESC LIMIT \(StoreLimits.page(limit))
                """), PolicyRecord.init(row:))
    }

    /// Puts a new version of an ensemble's policy in force. What is queued is evaluated under it, and so is what is
    /// being evaluated: its publication finds the policy changed and sends it back.
    ///
    /// Any switch of a founded ensemble may change, but for one case. `columns` and `preset` are sound to change: an
    /// evaluation fits champion and newcomer anew, both under the policy in force, so the gate compares like with
    /// like. The champion itself is served as it was fitted until the next promotion, and that one is judged against
    /// the champion refitted, not as served. A changed alpha or number of tests counts for what is left of alpha.
    /// From `shapley-top-k` to `gated` is refused once that rule has judged a newcomer in the epoch: its figures are
    /// over all rows, and the gate's guarantee rests on rows that submitters have not tried newcomers on. The same
    /// holds where the epoch shares rows with one that it judged in.
    ///
    /// - Parameters:
    ///   - ensemble: the ensemble.
    ///   - policy: the whole policy.
    ///   - reason: why, for the history; at most 2,000 characters.
    ///   - actor: who sets it.
    /// - Returns: the version in force, and whether it is new; false when the policy was the same already.
    /// - Throws: ``StoreError`` with code `ensembleNotFound`; `conflict` when the change is not sound now;
    ///   `EnsembleModelError` for a policy that is not valid or cannot be followed on the validation set.
    public func setPolicy(
        ensemble: String, policy: Policy, reason: String, actor: String
    ) async throws -> (record: PolicyRecord, isNew: Bool) {
        try policy.validate()
        let isNew = try await transaction { connection in
            let head = try await EnsembleHead.read(ensemble, lock: .update, on: connection)
            try await Self.check(policy, on: head, connection)
            let old = try await Self.policy(of: head, on: connection)
            guard old != policy else { return false }
            try await Self.checkChange(from: old, to: policy, head, on: connection)
            let version = head.policyVersion + 1
            try await connection.execute(pipelined: [
                """
                INSERT INTO policy_version (ensemble_id, version, policy, reason, created_by)
                VALUES (\(head.ensembleID), \(version), \(JSON(encoding: policy)), \(reason), \(actor))
                """,
                "UPDATE ensemble_head SET policy_version = \(version) WHERE ensemble_id = \(head.ensembleID)",
            ])
            if head.sequence == 0, policy.founding == .first {
                try await Self.queueWithoutEvaluation(head, besides: [], on: connection)
            }
            try await Self.audit(
                .setPolicy, subject: "ensemble \(ensemble)", actor: actor,
                detail: [
                    "version": .integer(Int64(version)), "reason": .string(reason),
                    "before": CanonicalValue(encoding: old), "after": CanonicalValue(encoding: policy),
                ], on: connection)
            return true
        }
        return (try await self.policy(ensemble: ensemble), isNew)
    }

    /// The policy in force. A statement of its own after the head's: joined to it, the policy could be one from before
    /// the wait for the head's lock.
    static func policy(of head: EnsembleHead, on connection: Connection) async throws -> Policy {
        let rows = try await connection.query(
            """
            SELECT policy FROM policy_version
            WHERE ensemble_id = \(head.ensembleID) AND version = \(head.policyVersion)
            """)
        guard let row = rows.first else { throw StoreError(.corrupt, "'\(head.ensemble)' has no policy") }
        return try row.json("policy")
    }

    /// Queues the epoch's submissions that have no evaluation yet, in the order they came.
    ///
    /// - Parameter judged: models that need none.
    static func queueWithoutEvaluation(
        _ head: EnsembleHead, besides judged: [String], on connection: Connection
    ) async throws {
        try await connection.execute(
            """
            INSERT INTO evaluation (ensemble_id, kind, submission_id, requested_by)
            SELECT s.ensemble_id, 'admission', s.id, s.submitted_by
            FROM submission s JOIN model_version m ON m.id = s.model_version_id
            WHERE s.ensemble_id = \(head.ensembleID) AND s.epoch = \(head.epoch)
              AND m.reference <> ALL (\(judged))
              AND NOT EXISTS (SELECT FROM evaluation v WHERE v.submission_id = s.id)
            ORDER BY s.id
            """)
    }

    /// Whether it can be followed on the epoch's rows.
    private static func check(_ policy: Policy, on head: EnsembleHead, _ connection: Connection) async throws {
        let rows = try await connection.query(
            """
            SELECT v.row_count, v.group_count FROM epoch ep JOIN validation_set v ON v.id = ep.validation_set_id
            WHERE ep.ensemble_id = \(head.ensembleID) AND ep.number = \(head.epoch)
            """)
        guard let row = rows.first else { throw StoreError(.corrupt, "'\(head.ensemble)' has no validation set") }
        try policy.validate(rowCount: row["row_count"], groupCount: row["group_count"])
    }

    private static func checkChange(
        from old: Policy, to new: Policy, _ head: EnsembleHead, on connection: Connection
    ) async throws {
        if head.sequence == 0, old.founding != new.founding {
            let open = try await connection.query(
                """
                SELECT id FROM evaluation
                WHERE ensemble_id = \(head.ensembleID) AND state IN ('queued', 'evaluating', 'evaluated', 'pending')
                ORDER BY id LIMIT 1
                """)
            if let id: Int64 = try open.first?["id"] {
                throw StoreError(
                    .conflict,
                    "'\(head.ensemble)' is about to be founded under founding: \(old.founding.rawValue) "
                        + "(evaluation \(id)); wait for its end, then change the rule")
            }
        }
        guard old.admission == .shapleyTopK, new.admission == .gated else { return }
        let rows = try await connection.query(
            """
            SELECT unnest(shares_with || number) AS epoch FROM epoch
            WHERE ensemble_id = \(head.ensembleID) AND number = \(head.epoch)
            """)
        try await checkUnseen(
            rows.map { try $0["epoch"] }, head,
            then: "start an epoch with fresh rows (`registry ensembles epoch start`), then change it", on: connection)
    }
}

extension PolicyRecord {
    fileprivate static func select(_ rest: SQL) -> SQL {
        """
        SELECT e.name, p.version, p.policy, b.policy AS before, p.reason, p.created_at, p.created_by
        FROM policy_version p
        JOIN ensemble e ON e.id = p.ensemble_id
        LEFT JOIN policy_version b ON b.ensemble_id = p.ensemble_id AND b.version = p.version - 1
        \(rest)
        """
    }

    fileprivate init(row: Row) throws {
        let policy: Policy = try row.json("policy")
        let before: JSON? = try row["before"]
        self.init(
            ensemble: try row["name"], version: try row["version"], policy: policy,
            changes: before == nil ? [] : try policy.changes(from: row.json("before")), reason: try row["reason"],
            createdAt: try row["created_at"], createdBy: try row["created_by"])
    }
}

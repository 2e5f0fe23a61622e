public import EnsembleModel
import Postgres

extension RegistryStore {
    /// Creates an ensemble with its first epoch and policy.
    ///
    /// - Returns: the ensemble, and whether it was created now; false when it was created before with the same content.
    /// - Throws: ``StoreError`` with code `ensembleExists` when it was created with other content;
    ///   `EnsembleModelError` for a name or a policy that is not valid, or one that cannot be followed on these rows.
    public func createEnsemble(
        name: String, description: String, validation: ValidationSet, policy: Policy, actor: String
    ) async throws -> (record: EnsembleRecord, created: Bool) {
        try Name.check(name, as: "ensemble")
        try policy.validate()
        try policy.validate(rowCount: validation.rowCount, groupCount: validation.groupNames.count)
        let digest = validation.digest
        let created = try await transaction { connection in
            let rows = try await connection.query(
                """
                INSERT INTO ensemble (name, description, classes, created_by)
                VALUES (\(name), \(description), \(validation.classes), \(actor))
                ON CONFLICT (name) DO NOTHING RETURNING id
                """)
            guard let id: Int64 = try rows.first?["id"] else { return false }
            let set = try await Self.insert(validation, digest: digest, ensemble: id, on: connection)
            try await connection.execute(pipelined: [
                """
                INSERT INTO policy_version (ensemble_id, version, policy, created_by)
                VALUES (\(id), 1, \(JSON(encoding: policy)), \(actor))
                """,
                """
                INSERT INTO epoch (ensemble_id, number, validation_set_id, salt)
                VALUES (\(id), 1, \(set), \(validation.epochSalt))
                """,
                "INSERT INTO ledger (ensemble_id, epoch) VALUES (\(id), 1)",
                "INSERT INTO ensemble_head (ensemble_id, epoch, policy_version) VALUES (\(id), 1, 1)",
            ])
            try await Self.audit(
                .createEnsemble, subject: "ensemble \(name)", actor: actor,
                detail: ["validation": .string(digest.hex), "policy": CanonicalValue(encoding: policy)], on: connection)
            return true
        }
        if !created { try await checkSame(name, description: description, validation: digest, policy: policy) }
        return (try await ensemble(name), created)
    }

    /// Refuses other content than the ensemble was created with.
    private func checkSame(_ name: String, description: String, validation: ContentDigest, policy: Policy) async throws
    {
        let differences = try await query(
            """
            SELECT e.description, v.sha256, p.policy
            FROM ensemble e
            JOIN epoch ep ON ep.ensemble_id = e.id AND ep.number = 1
            JOIN validation_set v ON v.id = ep.validation_set_id
            JOIN policy_version p ON p.ensemble_id = e.id AND p.version = 1
            WHERE e.name = \(name)
            """
        ) { row in
            [
                try row.digest("sha256") == validation ? nil : "set of classes and rows",
                try row.json("policy") == policy ? nil : "policy",
                try row["description"] == description ? nil : "description",
            ].compactMap { $0 }
        }
        if let difference = differences.first?.first {
            throw StoreError(
                .ensembleExists, "ensemble '\(name)' exists with another \(difference); choose another name")
        }
    }

    /// Ensembles in the order of their names' bytes, those after a name.
    public func ensembles(after name: String? = nil, limit: Int = 100) async throws -> [EnsembleRecord] {
        try await query(
            EnsembleRecord.select("WHERE e.name > \(name ?? "") ORDER BY e.name LIMIT \(StoreLimits.page(limit))"),
            EnsembleRecord.init(row:))
    }

    /// An ensemble.
    ///
    /// - Throws: ``StoreError`` with code `ensembleNotFound`.
    public func ensemble(_ name: String) async throws -> EnsembleRecord {
        guard
            let record = try await query(EnsembleRecord.select("WHERE e.name = \(name)"), EnsembleRecord.init(row:))
                .first
        else {
            throw StoreError.ensembleNotFound(name)
        }
        return record
    }

    /// Refuses an ensemble that does not exist: for listings, where it would look empty.
    func checkExists(ensemble name: String) async throws {
        let found = try await query("SELECT id FROM ensemble WHERE name = \(name)") { try $0.decode(Int64.self) }
        if found.isEmpty { throw StoreError.ensembleNotFound(name) }
    }
}

extension EnsembleRecord {
    fileprivate static func select(_ condition: SQL) -> SQL {
        """
        SELECT e.name, e.description, e.classes, e.created_at, e.created_by, h.sequence, h.policy_version, p.policy,
               ep.number, ep.salt, ep.preset, ep.shares_with, ep.started_at, v.sha256 AS validation, v.row_count,
               v.group_count, v.slice_count, m.sha256 AS manifest, pr.members, \(Ledger.columns),
               \(missingMembers) AS missing_members,
               (SELECT count(*) FROM submission s WHERE s.ensemble_id = e.id AND s.epoch = h.epoch) AS candidates
        FROM ensemble e
        JOIN ensemble_head h ON h.ensemble_id = e.id
        JOIN policy_version p ON p.ensemble_id = e.id AND p.version = h.policy_version
        JOIN epoch ep ON ep.ensemble_id = e.id AND ep.number = h.epoch
        JOIN ledger l ON l.ensemble_id = e.id AND l.epoch = h.epoch
        JOIN validation_set v ON v.id = ep.validation_set_id
        LEFT JOIN manifest m ON m.ensemble_id = e.id AND m.sequence = h.sequence
        LEFT JOIN promotion pr ON pr.ensemble_id = e.id AND pr.sequence = h.sequence
        \(condition)
        """
    }

    /// Members of `promotion pr` without predictions in the epoch of `ensemble_head h`, in model order.
    static let missingMembers: SQL = """
        ARRAY(
            SELECT member FROM unnest(pr.members) AS member
            WHERE NOT EXISTS (
                SELECT FROM submission s JOIN model_version m ON m.id = s.model_version_id
                WHERE s.ensemble_id = h.ensemble_id AND s.epoch = h.epoch AND m.reference = member)
            ORDER BY member COLLATE "C")
        """

    fileprivate init(row: Row) throws {
        let epoch = Epoch(
            number: try row["number"], validation: try row.digest("validation"), salt: try row["salt"],
            rowCount: try row["row_count"], groupCount: try row["group_count"], sliceCount: try row["slice_count"],
            preset: try row.optional("preset"), sharesWith: try row["shares_with"], startedAt: try row["started_at"])
        let policy: Policy = try row.json("policy")
        self.init(
            name: try row["name"], description: try row["description"], classes: try row["classes"], epoch: epoch,
            policy: policy, policyVersion: try row["policy_version"], sequence: try row["sequence"],
            manifest: try row.optionalDigest("manifest"), members: try row.models("members"),
            missingMembers: try row.models("missing_members"),
            ledger: LedgerRecord(try Ledger(row: row), gate: policy.gate),
            candidateCount: try row["candidates"], createdAt: try row["created_at"], createdBy: try row["created_by"])
    }
}

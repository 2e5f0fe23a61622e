public import EnsembleModel
import Postgres

extension RegistryStore {
    /// Gives an ensemble a new validation set. Its champion serves on; members need predictions of the new rows before
    /// newcomers are evaluated again.
    ///
    /// What was open stays open, and what was spent is spent: where the new set shares groups with earlier epochs, it
    /// is split by their salt, and their ledger goes on. With a salt of its own, rows on whose figures submitters have
    /// climbed would be sealed, and their climbing would pass for a gain. Only a set of fresh groups begins with the
    /// whole alpha. Cool-downs and tenures are about models, so they go on in any case.
    ///
    /// Evaluations of the old epoch that are not decided are cancelled, and decisions that wait for approval are
    /// superseded: their predictions are of the old rows.
    ///
    /// - Returns: the ensemble, and whether the epoch was started now; false when this set is the current one.
    /// - Parameters:
    ///   - name: the ensemble.
    ///   - validation: the rows.
    ///   - actor: who starts it.
    ///   - check: throws when the rows cannot be split with this salt; then nothing is stored.
    /// - Throws: ``StoreError`` with code `ensembleNotFound`; `conflict` when the set is that of an earlier epoch,
    ///   shares groups with epochs that were split differently, has a known row in another group, or shares rows with
    ///   an epoch where `shapley-top-k` has shown the figures that the gate would seal; `EnsembleModelError` when the
    ///   policy cannot be followed on these rows; what `check` throws.
    public func startEpoch(
        ensemble name: String, validation: ValidationSet, actor: String,
        check: @Sendable (_ salt: String) throws -> Void = { _ in }
    ) async throws -> (record: EnsembleRecord, created: Bool) {
        let digest = validation.digest
        let created = try await transaction { connection in
            let head = try await EnsembleHead.read(name, lock: .update, on: connection)
            if let known = try await Self.epoch(of: digest, head, on: connection) {
                guard known == head.epoch else {
                    throw StoreError(
                        .conflict,
                        "these rows were the validation set of epoch \(known); their tests are spent. "
                            + "Start an epoch with fresh labelled rows")
                }
                return false
            }
            let policy = try await Self.policy(of: head, on: connection)
            try policy.validate(rowCount: validation.rowCount, groupCount: validation.groupNames.count)
            let set = try await Self.insert(validation, digest: digest, ensemble: head.ensembleID, on: connection)
            let (salt, shared) = try await Self.lineage(of: set, head, on: connection) ?? (validation.epochSalt, [])
            try check(salt)
            if policy.admission == .gated {
                try await Self.checkUnseen(shared, head, then: "give this epoch rows of fresh groups", on: connection)
            }
            let number = head.epoch + 1
            let cancelled = try await Self.cancelEvaluations(head, on: connection)
            let superseded = try await Self.supersedeWaiting(
                "ensemble_id = \(head.ensembleID)", because: "epoch \(number) has begun", on: connection)
            try await connection.execute(pipelined: [
                """
                INSERT INTO epoch (ensemble_id, number, validation_set_id, salt, preset, shares_with)
                SELECT ensemble_id, \(number), \(set), \(salt), preset, \(shared)
                FROM epoch WHERE ensemble_id = \(head.ensembleID) AND number = \(head.epoch)
                """,
                Self.openLedger(number, head, carrying: shared),
                "UPDATE ensemble_head SET epoch = \(number) WHERE ensemble_id = \(head.ensembleID)",
            ])
            try await Self.audit(
                .startEpoch, subject: "ensemble \(name)", actor: actor,
                detail: [
                    "epoch": .integer(Int64(number)), "validation": .string(digest.hex),
                    "shares_with": .array(shared.map { .integer(Int64($0)) }),
                    "cancelled_evaluations": .integer(Int64(cancelled)),
                    "superseded_decisions": .integer(Int64(superseded)),
                ], on: connection)
            return true
        }
        return (try await ensemble(name), created)
    }

    private static func epoch(
        of digest: ContentDigest, _ head: EnsembleHead, on connection: Connection
    ) async throws -> Int? {
        try await connection.query(
            """
            SELECT ep.number FROM epoch ep JOIN validation_set v ON v.id = ep.validation_set_id
            WHERE ep.ensemble_id = \(head.ensembleID) AND v.sha256 = \(digest.hex)
            """
        ).first.map { try $0["number"] }
    }

    /// The salt of the earlier epochs that have groups or rows of a set, and all epochs split by it; nil for fresh
    /// rows.
    private static func lineage(
        of set: Int64, _ head: EnsembleHead, on connection: Connection
    ) async throws -> (salt: String, epochs: [Int])? {
        let lineages = try await connection.query(
            """
            WITH fresh AS (
                SELECT unnest(groups || row_ids) AS name FROM validation_row_block WHERE validation_set_id = \(set)
            ), used AS (
                SELECT ep.salt, unnest(b.groups || b.row_ids) AS name
                FROM epoch ep JOIN validation_row_block b ON b.validation_set_id = ep.validation_set_id
                WHERE ep.ensemble_id = \(head.ensembleID)
            )
            SELECT ep.salt, array_agg(ep.number::bigint ORDER BY ep.number) AS epochs
            FROM epoch ep
            WHERE ep.ensemble_id = \(head.ensembleID) AND ep.salt IN (SELECT salt FROM used JOIN fresh USING (name))
            GROUP BY ep.salt ORDER BY min(ep.number)
            """
        ).map { (salt: try $0["salt"] as String, epochs: try $0["epochs"] as [Int]) }
        guard lineages.count < 2 else {
            throw StoreError(
                .conflict,
                "the rows share groups with epochs \(lineages[0].epochs[0]) and \(lineages[1].epochs[0]), which were "
                    + "split independently; leave out the rows of one of them")
        }
        guard let lineage = lineages.first else { return nil }
        let moved = try await connection.query(
            """
            WITH fresh AS (
                SELECT unnest(row_ids) AS row_id, unnest(groups) AS name FROM validation_row_block
                WHERE validation_set_id = \(set)
            ), used AS (
                SELECT unnest(b.row_ids) AS row_id, unnest(b.groups) AS name
                FROM epoch ep JOIN validation_row_block b ON b.validation_set_id = ep.validation_set_id
                WHERE ep.ensemble_id = \(head.ensembleID) AND ep.number = ANY (\(lineage.epochs))
            )
            SELECT row_id, used.name AS old, fresh.name AS new FROM used JOIN fresh USING (row_id)
            WHERE used.name <> fresh.name ORDER BY row_id LIMIT 1
            """)
        if let row = moved.first {
            throw StoreError(
                .conflict,
                "row '\(try row["row_id"] as String)' was in group '\(try row["old"] as String)' before and is in "
                    + "'\(try row["new"] as String)' now; known rows keep their groups")
        }
        return lineage
    }

    /// The new epoch's ledger: what was spent from the newest of `epochs`, which took over what the others had spent;
    /// the models' memory from the current one.
    private static func openLedger(_ number: Int, _ head: EnsembleHead, carrying epochs: [Int]) -> SQL {
        """
        INSERT INTO ledger (ensemble_id, epoch, tests, alpha_spent, submitter_tests, retired_loss, evaluations,
                            promotions, cool_downs, tenures)
        SELECT l.ensemble_id, \(number), coalesce(s.tests, 0), coalesce(s.alpha_spent, 0),
               coalesce(s.submitter_tests, '{}'), coalesce(s.retired_loss, 0), l.evaluations, l.promotions,
               l.cool_downs, l.tenures
        FROM ledger l LEFT JOIN LATERAL (
            SELECT * FROM ledger o WHERE o.ensemble_id = l.ensemble_id AND o.epoch = ANY (\(epochs))
            ORDER BY o.epoch DESC LIMIT 1
        ) s ON true
        WHERE l.ensemble_id = \(head.ensembleID) AND l.epoch = \(head.epoch)
        """
    }

    private static func cancelEvaluations(_ head: EnsembleHead, on connection: Connection) async throws -> Int {
        try await connection.execute(
            """
            UPDATE evaluation
            SET state = 'cancelled', finished_at = now(), lease_expires_at = NULL,
                failure = 'a new epoch has begun; submit predictions of its rows'
            WHERE ensemble_id = \(head.ensembleID) AND kind <> 'replay'
              AND state IN ('queued', 'evaluating', 'evaluated')
            """)
    }

    /// Refuses the gate where `shapley-top-k` has judged a newcomer in one of some epochs: its figures are over all
    /// rows, and the gate's guarantee rests on rows that submitters have not tried newcomers on.
    ///
    /// - Parameter remedy: what to do instead.
    static func checkUnseen(
        _ epochs: [Int], _ head: EnsembleHead, then remedy: String, on connection: Connection
    ) async throws {
        let shown = try await connection.query(
            """
            SELECT d.id FROM decision d
            JOIN evaluation v ON v.id = d.evaluation_id AND v.against_epoch = ANY (\(epochs))
            JOIN evaluation_outcome o ON o.evaluation_id = v.id AND cardinality(o.members_before) > 0
            JOIN policy_version p ON p.ensemble_id = d.ensemble_id AND p.version = d.policy_version
            WHERE d.ensemble_id = \(head.ensembleID) AND p.policy ->> 'admission' = 'shapley-top-k'
            ORDER BY d.id LIMIT 1
            """)
        guard let decision: Int64 = try shown.first?["id"] else { return }
        throw StoreError(
            .conflict,
            "admission cannot be gated on these rows: decision \(decision) under shapley-top-k has shown figures of "
                + "rows that the gate would seal; \(remedy)")
    }

    /// The champion's members, and those of them without predictions in the epoch; none before the founding.
    static func champion(
        of head: EnsembleHead, on connection: Connection
    ) async throws -> (members: [ModelVersionID], missing: [ModelVersionID]) {
        try await connection.query(
            """
            SELECT pr.members, \(EnsembleRecord.missingMembers) AS missing
            FROM ensemble_head h JOIN promotion pr ON pr.ensemble_id = h.ensemble_id AND pr.sequence = h.sequence
            WHERE h.ensemble_id = \(head.ensembleID)
            """
        ).first.map { (try $0.models("members"), try $0.models("missing")) } ?? ([], [])
    }

    /// All members have predictions in the epoch: queues what waited for them. A founding that was to replace the
    /// champion for want of them has lost its reason.
    static func complete(_ members: [ModelVersionID], of head: EnsembleHead, on connection: Connection) async throws {
        try await connection.execute(
            """
            UPDATE evaluation
            SET state = 'cancelled', finished_at = now(), lease_expires_at = NULL,
                failure = 'all members have predictions in this epoch now; newcomers are evaluated against them'
            WHERE ensemble_id = \(head.ensembleID) AND kind = 'founding'
              AND state IN ('queued', 'evaluating', 'evaluated')
            """)
        _ = try await supersedeWaiting(
            "ensemble_id = \(head.ensembleID) AND kind = 'founding'",
            because: "all members have predictions in this epoch now", on: connection)
        try await queueWithoutEvaluation(head, besides: members.texts, on: connection)
    }
}

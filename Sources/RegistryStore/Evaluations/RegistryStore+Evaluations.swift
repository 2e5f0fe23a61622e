public import EnsembleModel
import Postgres

extension RegistryStore {
    /// An evaluation.
    ///
    /// - Throws: ``StoreError`` with code `notFound`.
    public func evaluation(_ id: Int64) async throws -> EvaluationRecord {
        guard
            let record = try await query(EvaluationRecord.select("WHERE v.id = \(id)"), EvaluationRecord.init(row:))
                .first
        else {
            throw StoreError.notFound("evaluation", id)
        }
        return record
    }

    /// Queues the founding of an ensemble; one that is under way or waits for approval is returned as it is. A founded
    /// one is founded anew only where members of its champion have no predictions in the epoch, and `replacing` says
    /// that this is meant.
    ///
    /// - Throws: ``StoreError`` with code `ensembleNotFound`, `alreadyFounded` or `noCandidates`; `conflict` when the
    ///   policy lets the first submission found it.
    public func requestFounding(ensemble: String, replacing: Bool = false, actor: String) async throws
        -> EvaluationRecord
    {
        try await transaction { connection in
            let head = try await EnsembleHead.read(ensemble, lock: .update, on: connection)
            try await Self.checkMayFound(head, replacing: replacing, on: connection)
            let open = try await connection.query(
                EvaluationRecord.select(
                    """
                    WHERE v.ensemble_id = \(head.ensembleID) AND v.kind = 'founding'
                      AND v.state IN ('queued', 'evaluating', 'evaluated', 'pending')
                    """))
            if let row = open.first { return try EvaluationRecord(row: row) }
            let rows = try await connection.query(
                """
                INSERT INTO evaluation (ensemble_id, kind, requested_by)
                SELECT \(head.ensembleID), 'founding', \(actor)
                WHERE EXISTS (SELECT FROM submission WHERE ensemble_id = \(head.ensembleID) AND epoch = \(head.epoch))
                RETURNING id
                """)
            guard let id: Int64 = try rows.first?["id"] else {
                throw StoreError(.noCandidates, "ensemble '\(ensemble)' has no candidates; submit models first")
            }
            try await Self.audit(
                .requestFounding, subject: "evaluation \(id)", actor: actor, detail: ["ensemble": .string(ensemble)],
                on: connection)
            return try await Self.evaluation(id, on: connection)
        }
    }

    /// Queues a failed or cancelled evaluation again, with all its attempts.
    ///
    /// - Throws: ``StoreError`` with code `notFound`; `alreadyFounded`; `conflict` when it has not failed, its epoch is
    ///   over, or the policy founds in another way now.
    public func retry(evaluation id: Int64, actor: String) async throws -> EvaluationRecord {
        try await transaction { connection in
            guard let head = try await EnsembleHead.of(evaluation: id, lock: .share, on: connection) else {
                throw StoreError.notFound("evaluation", id)
            }
            let record = try await Self.evaluation(id, on: connection)
            switch record.kind {
            case .founding: try await Self.checkMayFound(head, replacing: true, on: connection)
            case .admission: try await Self.checkMayAdmit(head, on: connection)
            case .replay: break
            }
            let rows = try await connection.query(
                """
                SELECT v.id FROM evaluation v LEFT JOIN submission s ON s.id = v.submission_id
                WHERE v.id = \(id) AND v.state IN ('failed', 'cancelled')
                  AND coalesce(s.epoch, \(head.epoch)) = \(head.epoch)
                FOR UPDATE OF v
                """)
            guard !rows.isEmpty else {
                let isOver = record.state == .failed || record.state == .cancelled
                throw StoreError(
                    .conflict,
                    isOver
                        ? "the epoch of evaluation \(id) is over; submit predictions of the rows of this one"
                        : "evaluation \(id) is \(record.state.rawValue); only one that failed or was cancelled can be "
                            + "retried")
            }
            try await Self.requeue(id, on: connection)
            try await Self.audit(.retry, subject: "evaluation \(id)", actor: actor, detail: [:], on: connection)
            return try await Self.evaluation(id, on: connection)
        }
    }

    /// Cancels an evaluation that is not decided; its worker learns of it with the next heartbeat.
    ///
    /// - Throws: ``StoreError`` with code `notFound`; `conflict` when it is over.
    public func cancel(evaluation id: Int64, actor: String) async throws -> EvaluationRecord {
        try await transaction { connection in
            let cancelled = try await connection.execute(
                """
                UPDATE evaluation SET state = 'cancelled', finished_at = now(), lease_expires_at = NULL
                WHERE id = \(id) AND state IN ('queued', 'evaluating', 'evaluated')
                """)
            let record = try await Self.evaluation(id, on: connection)
            guard cancelled == 1 else {
                throw StoreError(
                    .conflict, "evaluation \(id) is \(record.state.rawValue); it cannot be cancelled any more")
            }
            try await Self.audit(.cancel, subject: "evaluation \(id)", actor: actor, detail: [:], on: connection)
            return record
        }
    }

    /// Puts an evaluation back to the beginning; an outcome that was not decided goes.
    static func requeue(_ evaluation: Int64, on connection: Connection) async throws {
        try await connection.execute(pipelined: [
            "DELETE FROM evaluation_outcome WHERE evaluation_id = \(evaluation)",
            """
            UPDATE evaluation SET state = 'queued', attempt = 0, failure = NULL, progress = NULL, finished_at = NULL,
                                  lease_expires_at = NULL
            WHERE id = \(evaluation)
            """,
        ])
    }

    private static func evaluation(_ id: Int64, on connection: Connection) async throws -> EvaluationRecord {
        guard let row = try await connection.query(EvaluationRecord.select("WHERE v.id = \(id)")).first else {
            throw StoreError.notFound("evaluation", id)
        }
        return try EvaluationRecord(row: row)
    }

    private static func checkMayFound(
        _ head: EnsembleHead, replacing: Bool, on connection: Connection
    ) async throws {
        if head.sequence > 0 {
            let missing = try await champion(of: head, on: connection).missing
            guard !missing.isEmpty else {
                throw StoreError(
                    .alreadyFounded,
                    "ensemble '\(head.ensemble)' is founded; newcomers are evaluated as they are submitted")
            }
            // No newcomer can be judged against members without predictions: the way on when they cannot be had.
            if replacing { return }
            throw StoreError(
                .alreadyFounded,
                "ensemble '\(head.ensemble)' is founded, but newcomers wait for predictions of "
                    + "\(missing.map(\.description).joined(separator: ", ")); submit them, or give up these members: "
                    + "--replace (replace=true) founds it anew from the epoch's candidates, without a test")
        }
        if try await policy(of: head, on: connection).founding == .first {
            throw StoreError(
                .conflict,
                "the policy of '\(head.ensemble)' says founding: first, so the first submission that beats the class "
                    + "prior founds it; submit a model, or set founding: round")
        }
    }

    private static func checkMayAdmit(_ head: EnsembleHead, on connection: Connection) async throws {
        guard head.sequence == 0, try await policy(of: head, on: connection).founding == .round else { return }
        throw StoreError(
            .conflict,
            "ensemble '\(head.ensemble)' is not founded, and its policy says founding: round; the submission waits as "
                + "a candidate for `registry ensembles found \(head.ensemble)`")
    }
}

extension EvaluationRecord {
    /// Columns of `evaluation v` and `decision d` that ``init(row:)`` reads beside the ensemble's name.
    static let columns: SQL = """
        v.id AS evaluation_id, v.kind AS evaluation_kind, v.submission_id, v.replays, v.state, v.attempt,
        v.progress, v.failure,
        d.id AS decision, v.created_at AS queued_at, v.finished_at
        """

    static func select(_ condition: SQL) -> SQL {
        """
        SELECT e.name AS ensemble, \(columns)
        FROM evaluation v JOIN ensemble e ON e.id = v.ensemble_id LEFT JOIN decision d ON d.evaluation_id = v.id
        \(condition)
        """
    }

    init(row: Row) throws {
        let progress: JSON? = try row["progress"]
        self.init(
            id: try row["evaluation_id"], ensemble: try row["ensemble"], kind: try row.value("evaluation_kind"),
            submission: try row["submission_id"], replays: try row["replays"], state: try row.value("state"),
            attempt: try row["attempt"],
            progress: progress == nil ? nil : try row.json("progress"), failure: try row["failure"],
            decision: try row["decision"], createdAt: try row["queued_at"], finishedAt: try row["finished_at"])
    }
}

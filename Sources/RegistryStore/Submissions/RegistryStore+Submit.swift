public import EnsembleModel
import Postgres

extension RegistryStore {
    /// Stores a submission with its model version and predictions, all or nothing. On a founded ensemble, and on one
    /// that its first submission may found, its evaluation is queued. In an epoch that some members have no predictions
    /// in yet it waits for them as a candidate; a member's own submission is never evaluated.
    ///
    /// The same again is the same submission, with its verdict. A hold is none: the submission is queued once more, on
    /// the account of who sends it now.
    ///
    /// - Parameters:
    ///   - new: the submission.
    ///   - blocks: gives the predictions to `write`, in row-id order: little-endian float32, 65,536 rows a block, the
    ///     last one shorter. Not called when the submission exists. What it throws is thrown on, and nothing is
    ///     stored.
    /// - Returns: the submission, and whether something was stored or queued now; false when the same was submitted
    ///   before and stands.
    /// - Throws: ``StoreError`` with code `ensembleNotFound`, `modelVersionImmutable`, `idempotencyConflict`,
    ///   `conflict` when the epoch has ended, `corrupt` when the blocks are not those announced.
    public nonisolated(nonsending) func submit(
        _ new: NewSubmission,
        blocks:
            nonisolated(nonsending) (_ write: nonisolated(nonsending) ([UInt8]) async throws -> Void) async throws ->
            Void
    ) async throws -> (record: SubmissionRecord, accepted: Bool) {
        try await transaction { connection in
            if let existing = try await Self.existing(new, on: connection) {
                return try await Self.repeatAfterHold(existing, new, on: connection)
            }
            let head = try await EnsembleHead.read(new.ensemble, lock: .none, on: connection)
            try await Self.check(new, against: head, on: connection)
            let model = try await ModelVersionRow.register(new.model, new.metadata, actor: new.actor, on: connection)
            guard let id = try await Self.insert(new, model: model, ensemble: head.ensembleID, on: connection) else {
                // Another transaction stored it since the first look.
                guard let existing = try await Self.existing(new, on: connection) else {
                    throw StoreError(.conflict, "the submission was stored and is gone; try again")
                }
                return (existing, false)
            }
            try await Self.copy(blocks, of: new, to: id, classCount: head.classes.count, on: connection)
            try await Self.enqueue(new, submission: id, on: connection)
            return (try await Self.submission(id, on: connection), true)
        }
    }

    /// Queues an evaluation of a submission of this epoch that has been held and is not being evaluated; any other is
    /// returned as it is. However often it is sent at once, it is queued once: the head's lock keeps decisions out
    /// between the look and the insertion, an index keeps out a second evaluation.
    private static func repeatAfterHold(
        _ record: SubmissionRecord, _ new: NewSubmission, on connection: Connection
    ) async throws -> (record: SubmissionRecord, accepted: Bool) {
        guard record.state == .decided, record.holdCount > 0 else { return (record, false) }
        let head = try await EnsembleHead.read(new.ensemble, lock: .share, on: connection)
        let rows = try await connection.query(
            """
            INSERT INTO evaluation (ensemble_id, kind, submission_id, requested_by)
            SELECT s.ensemble_id, 'admission', s.id, \(new.actor) FROM submission s
            WHERE s.id = \(record.id) AND s.epoch = \(head.epoch)
              AND NOT EXISTS (SELECT FROM decision d WHERE d.submission_id = s.id AND NOT d.is_hold
                                AND d.approval <> 'superseded')
            ON CONFLICT DO NOTHING RETURNING id
            """)
        let evaluation: Int64? = try rows.first?["id"]
        if let evaluation {
            try await audit(
                .resubmit, subject: "submission \(record.id)", actor: new.actor,
                detail: ["evaluation": .integer(evaluation)], on: connection)
        }
        return (try await submission(record.id, on: connection), evaluation != nil)
    }

    private static func submission(_ id: Int64, on connection: Connection) async throws -> SubmissionRecord {
        guard let row = try await connection.query(SubmissionRecord.select("WHERE s.id = \(id)")).first else {
            throw StoreError(.internalError, "submission \(id) was stored and is gone")
        }
        return try SubmissionRecord(row: row)
    }

    private static func existing(_ new: NewSubmission, on connection: Connection) async throws -> SubmissionRecord? {
        if let key = new.idempotencyKey {
            let rows = try await connection.query(
                SubmissionRecord.select(
                    """
                    JOIN ensemble_head h ON h.ensemble_id = s.ensemble_id AND h.epoch = s.epoch
                    WHERE e.name = \(new.ensemble) AND s.submitted_by = \(new.actor) AND s.idempotency_key = \(key)
                    """))
            if let row = rows.first {
                let record = try SubmissionRecord(row: row)
                let metadata = try ModelVersionRow.metadata(row)
                guard record.model == new.model, record.predictions == new.predictions, metadata == new.metadata else {
                    throw StoreError(
                        .idempotencyConflict,
                        "the idempotency key was used for submission \(record.id), which has other content")
                }
                return record
            }
        }
        guard try await ModelVersionRow.registered(new.model, new.metadata, on: connection) != nil else { return nil }
        let rows = try await connection.query(
            SubmissionRecord.select(
                """
                JOIN ensemble_head h ON h.ensemble_id = s.ensemble_id AND h.epoch = s.epoch
                WHERE e.name = \(new.ensemble) AND m.reference = \(new.model.description)
                """))
        guard let row = rows.first else { return nil }
        let record = try SubmissionRecord(row: row)
        guard record.predictions == new.predictions else {
            throw StoreError(
                .modelVersionImmutable,
                "model version '\(new.model)' has other predictions in this epoch (submission \(record.id)); "
                    + "submit the change as a new version")
        }
        return record
    }

    private static func check(_ new: NewSubmission, against head: EnsembleHead, on connection: Connection) async throws
    {
        try checkEpoch(of: new, against: head)
        let rows = try await connection.query(
            """
            SELECT v.row_count FROM epoch ep JOIN validation_set v ON v.id = ep.validation_set_id
            WHERE ep.ensemble_id = \(head.ensembleID) AND ep.number = \(head.epoch)
            """)
        let count: Int = try rows.first?["row_count"] ?? 0
        guard new.rowCount + new.missingRowCount == count else {
            throw StoreError(
                .corrupt,
                "\(new.rowCount) rows and \(new.missingRowCount) missing ones are not the \(count) validation rows")
        }
    }

    private static func checkEpoch(of new: NewSubmission, against head: EnsembleHead) throws {
        guard new.epoch == head.epoch else {
            throw StoreError(
                .conflict,
                "'\(new.ensemble)' has a new validation set since the upload began; predict its rows and submit again")
        }
    }

    /// The new row's id; nil when a unique constraint was there first.
    private static func insert(
        _ new: NewSubmission, model: Int64, ensemble: Int64, on connection: Connection
    ) async throws -> Int64? {
        try await connection.query(
            """
            INSERT INTO submission (ensemble_id, epoch, model_version_id, idempotency_key, predictions_sha256,
                                    row_count, missing_row_count, submitted_by)
            VALUES (\(ensemble), \(new.epoch), \(model), \(new.idempotencyKey), \(new.predictions.hex), \(new.rowCount),
                    \(new.missingRowCount), \(new.actor))
            ON CONFLICT DO NOTHING RETURNING id
            """
        ).first.map { try $0["id"] }
    }

    private nonisolated(nonsending) static func copy(
        _ blocks:
            nonisolated(nonsending) (_ write: nonisolated(nonsending) ([UInt8]) async throws -> Void) async throws ->
            Void,
        of new: NewSubmission, to submission: Int64, classCount: Int, on connection: Connection
    ) async throws {
        var shape = BlockShape(rowCount: new.rowCount + new.missingRowCount, classCount: classCount)
        try await connection.copyIn(
            "COPY prediction_block (submission_id, block, probabilities) FROM STDIN (FORMAT binary)"
        ) { writer in
            try await blocks { bytes in
                let number = try shape.add(bytes)
                try await writer.row(submission, Int32(number), bytes)
            }
        }
        guard try shape.finish() == new.predictions else {
            throw StoreError(.corrupt, "the predictions do not have the announced sha256; nothing was stored")
        }
    }

    /// The head is locked only here, after the copying, so that a slow submission never holds up a publication: a
    /// founding that commits before this queues nothing for us, one that commits later sees us and does. Of two members
    /// that complete a champion at once, the second sees the first.
    private static func enqueue(_ new: NewSubmission, submission: Int64, on connection: Connection) async throws {
        let head = try await EnsembleHead.read(new.ensemble, lock: .update, on: connection)
        try checkEpoch(of: new, against: head)
        let champion = try await champion(of: head, on: connection)
        let foundsItself = try await policy(of: head, on: connection).founding == .first
        if champion.members.contains(new.model) {
            // Predictions of a member: nothing to decide. The last one lets those evaluate that waited for it.
            if champion.missing.isEmpty { try await complete(champion.members, of: head, on: connection) }
        } else if champion.missing.isEmpty, !champion.members.isEmpty || foundsItself {
            try await connection.execute(
                """
                INSERT INTO evaluation (ensemble_id, kind, submission_id, requested_by)
                VALUES (\(head.ensembleID), 'admission', \(submission), \(new.actor))
                """)
        }
        try await audit(
            .submit, subject: "submission \(submission)", actor: new.actor,
            detail: [
                "ensemble": .string(new.ensemble), "epoch": .integer(Int64(new.epoch)),
                "model": .string(new.model.description), "predictions": .string(new.predictions.hex),
            ], on: connection)
    }
}

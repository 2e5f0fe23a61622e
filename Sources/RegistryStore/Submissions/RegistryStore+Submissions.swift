public import EnsembleModel
import Postgres

extension RegistryStore {
    /// A submission.
    ///
    /// - Throws: ``StoreError`` with code `notFound`.
    public func submission(_ id: Int64) async throws -> SubmissionRecord {
        guard
            let record = try await query(SubmissionRecord.select("WHERE s.id = \(id)"), SubmissionRecord.init(row:))
                .first
        else {
            throw StoreError.notFound("submission", id)
        }
        return record
    }

    /// An ensemble's submissions, newest first, those before an id.
    ///
    /// - Throws: ``StoreError`` with code `ensembleNotFound`.
    public func submissions(ensemble: String, after id: Int64? = nil, limit: Int = 100) async throws
        -> [SubmissionRecord]
    {
        try await checkExists(ensemble: ensemble)
        return try await query(
            SubmissionRecord.select(
                """
                WHERE e.name = \(ensemble) AND s.id < \(id ?? .max)
                ORDER BY s.id DESC LIMIT \(StoreLimits.page(limit))
                """
            ),
            SubmissionRecord.init(row:))
    }

    /// A submission's predictions, N x K.
    ///
    /// - Throws: ``StoreError`` with code `notFound`; `corrupt` when the stored blocks are not those of the recorded
    ///   digest.
    public func predictions(submission id: Int64, classCount: Int) async throws -> Predictions {
        let stored = try await query(
            "SELECT predictions_sha256, row_count + missing_row_count AS rows FROM submission WHERE id = \(id)"
        ) { (digest: try $0.digest("predictions_sha256"), rowCount: try $0["rows"] as Int) }
        guard let stored = stored.first else { throw StoreError.notFound("submission", id) }
        let values = try await StoreError.translating {
            try await client.withConnection { connection in
                var values: [Float] = []
                values.reserveCapacity(stored.rowCount * classCount)
                // A COPY takes no parameters; the id is a number.
                let rows = connection.copyOut(
                    """
                    COPY (SELECT probabilities FROM prediction_block WHERE submission_id = \(id) ORDER BY block)
                    TO STDOUT (FORMAT binary)
                    """)
                for try await row in rows {
                    let block = try row.decode([UInt8].self)
                    block.withUnsafeBytes { bytes in
                        let count = bytes.count / MemoryLayout<UInt32>.size
                        for index in 0..<count {
                            let bits = bytes.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self)
                            values.append(Float(bitPattern: UInt32(littleEndian: bits)))
                        }
                    }
                }
                return values
            }
        }
        guard values.count == stored.rowCount * classCount,
            let predictions = try? Predictions(values: values, classCount: classCount),
            predictions.digest == stored.digest
        else {
            throw StoreError(
                .corrupt,
                "the stored predictions of submission \(id) do not match their digest; restore them from a backup")
        }
        return predictions
    }
}

extension SubmissionRecord {
    /// Also selects what ``ModelVersionRow/metadata(_:)`` reads. `rest` may join further.
    static func select(_ rest: SQL) -> SQL {
        """
        SELECT s.id, e.name AS ensemble, s.epoch, m.reference, s.predictions_sha256, s.row_count, s.missing_row_count,
               s.submitted_by, s.created_at, \(ModelVersionRow.columns), \(EvaluationRecord.columns),
               (SELECT count(*) FROM decision held WHERE held.submission_id = s.id AND held.is_hold) AS holds
        FROM submission s
        JOIN ensemble e ON e.id = s.ensemble_id
        JOIN model_version m ON m.id = s.model_version_id
        LEFT JOIN LATERAL (
            SELECT * FROM evaluation WHERE submission_id = s.id ORDER BY id DESC LIMIT 1
        ) AS v ON true
        LEFT JOIN decision d ON d.evaluation_id = v.id
        \(rest)
        """
    }

    init(row: Row) throws {
        let evaluationID: Int64? = try row["evaluation_id"]
        let evaluation = try evaluationID.map { _ in try EvaluationRecord(row: row) }
        self.init(
            id: try row["id"], ensemble: try row["ensemble"], epoch: try row["epoch"],
            model: try row.model("reference"),
            predictions: try row.digest("predictions_sha256"), rowCount: try row["row_count"],
            missingRowCount: try row["missing_row_count"], state: evaluation?.state ?? .candidate,
            evaluation: evaluation, holdCount: try row["holds"],
            submittedBy: try row["submitted_by"], createdAt: try row["created_at"])
    }
}

public import EnsembleModel
import Postgres

extension RegistryStore {
    /// An epoch's labelled rows.
    ///
    /// - Throws: ``StoreError`` with code `ensembleNotFound` or `notFound`; `corrupt` when the rows are not those of
    ///   the recorded digest.
    public func validationSet(ensemble: String, epoch: Int) async throws -> ValidationSet {
        let stored = try await storedSet(ensemble: ensemble, epoch: "\(epoch)")
        var rows: [ValidationSet.Row] = []
        rows.reserveCapacity(stored.rowCount)
        for block in 0..<stored.blockCount {
            let found = try await query(
                """
                SELECT row_ids, labels, groups, slices FROM validation_row_block
                WHERE validation_set_id = \(stored.id) AND block = \(block)
                """
            ) { try $0.decode([String].self, [Int].self, [String].self, [String].self) }
            for (ids, labels, groups, slices) in found {
                for index in ids.indices {
                    rows.append(.init(id: ids[index], label: labels[index], group: groups[index], slice: slices[index]))
                }
            }
        }
        guard let set = try? ValidationSet(classes: stored.classes, rows: rows), set.digest == stored.digest else {
            throw StoreError(
                .corrupt,
                "the stored validation set of '\(ensemble)' does not match its digest; restore it from a backup")
        }
        return set
    }

    /// Gives the ids and groups of the current epoch's rows, in row-id order, block by block. Holds one block in
    /// memory, and no connection while `body` runs.
    ///
    /// - Throws: ``StoreError`` with code `ensembleNotFound`, before `body` is called; what `body` throws.
    public func withValidationRows(
        ensemble: String, _ body: (_ block: [(id: String, group: String)]) async throws -> Void
    ) async throws {
        let stored = try await storedSet(ensemble: ensemble, epoch: "h.epoch")
        for block in 0..<stored.blockCount {
            let rows = try await query(
                """
                SELECT row_ids, groups FROM validation_row_block
                WHERE validation_set_id = \(stored.id) AND block = \(block)
                """
            ) { try $0.decode([String].self, [String].self) }
            guard let (ids, groups) = rows.first else {
                throw StoreError(
                    .corrupt,
                    "block \(block) of the validation set of '\(ensemble)' is missing; restore it from a backup")
            }
            try await body(Array(zip(ids, groups)).map { (id: $0, group: $1) })
        }
    }

    /// Stores a validation set's rows and returns its id.
    static func insert(
        _ set: ValidationSet, digest: ContentDigest, ensemble: Int64, on connection: Connection
    ) async throws -> Int64 {
        let rows = try await connection.query(
            """
            INSERT INTO validation_set (ensemble_id, sha256, row_count, group_count, slice_count)
            VALUES (\(ensemble), \(digest.hex), \(set.rowCount), \(set.groupNames.count), \(set.sliceNames.count))
            RETURNING id
            """)
        guard let id: Int64 = try rows.first?["id"] else {
            throw StoreError(.internalError, "the validation set was not stored")
        }
        for (block, start) in stride(from: 0, to: set.rowCount, by: StoreLimits.blockRows).enumerated() {
            let range = start..<min(start + StoreLimits.blockRows, set.rowCount)
            try await connection.execute(
                """
                INSERT INTO validation_row_block (validation_set_id, block, row_ids, labels, groups, slices)
                VALUES (\(id), \(block), \(Array(set.rowIDs[range])), \(Array(set.labels[range])),
                        \(set.groups[range].map { set.groupNames[$0] }),
                        \(set.slices[range].map { set.sliceNames[$0] }))
                """)
        }
        return id
    }

    private struct StoredSet {
        var id: Int64
        var digest: ContentDigest
        var rowCount: Int
        var classes: [String]
        var blockCount: Int { (rowCount + StoreLimits.blockRows - 1) / StoreLimits.blockRows }
    }

    private func storedSet(ensemble: String, epoch: SQL) async throws -> StoredSet {
        let found = try await query(
            """
            SELECT v.id, v.sha256, v.row_count, e.classes
            FROM ensemble e
            JOIN ensemble_head h ON h.ensemble_id = e.id
            JOIN epoch ep ON ep.ensemble_id = e.id AND ep.number = \(epoch)
            JOIN validation_set v ON v.id = ep.validation_set_id
            WHERE e.name = \(ensemble)
            """
        ) { row in
            StoredSet(
                id: try row["id"], digest: try row.digest("sha256"), rowCount: try row["row_count"],
                classes: try row["classes"])
        }
        guard let set = found.first else {
            try await checkExists(ensemble: ensemble)
            throw StoreError(.notFound, "ensemble '\(ensemble)' has no such epoch")
        }
        return set
    }
}

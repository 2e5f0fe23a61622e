public import EnsembleModel
import Postgres

extension RegistryStore {
    /// A champion, and the labelled rows and predictions of the current epoch that belong to it.
    public struct ChampionRows: Sendable {
        public let ensemble: String
        public let classes: [String]
        public let epoch: Int
        public let salt: String
        /// SHA-256 of the validation set.
        public let validation: ContentDigest
        public let rowCount: Int
        /// Sequence of the champion's manifest.
        public let sequence: Int
        /// In model order.
        public let members: [ModelVersionID]
        public let policy: Policy
        fileprivate let validationSet: Int64
        fileprivate let candidates: [Claim.Candidate]
    }

    /// Rows of a validation set; the arrays run in parallel.
    public struct ChampionRowBlock: Sendable {
        public var ids: [String]
        /// Indices of classes.
        public var labels: [Int]
        public var groups: [String]
        public var slices: [String]
        /// N x K: the plain average of the members' predictions, of those that have the row; NaN where none has it.
        public var probabilities: [Float]
    }

    /// What an ensemble's champion is judged on. Labels are in it, so whoever asks is on record in the audit chain.
    ///
    /// - Throws: ``StoreError`` with code `ensembleNotFound`, `notFounded`; `conflict` when members have no predictions
    ///   in the epoch.
    public func championRows(ensemble name: String, reader: String) async throws -> ChampionRows {
        try await transaction { connection in
            let head = try await EnsembleHead.read(name, lock: .share, on: connection)
            guard head.sequence > 0 else {
                throw StoreError(
                    .notFounded, "'\(name)' has no champion yet: found it with `registry ensembles found \(name)`")
            }
            let champion = try await Self.champion(of: head, on: connection)
            guard champion.missing.isEmpty else {
                throw StoreError(
                    .conflict,
                    "members of '\(name)' have no predictions in epoch \(head.epoch): "
                        + "\(champion.missing.map(\.description).joined(separator: ", ")); submit them first")
            }
            let rows = try await connection.query(
                """
                SELECT ep.salt, v.id, v.sha256, v.row_count
                FROM epoch ep JOIN validation_set v ON v.id = ep.validation_set_id
                WHERE ep.ensemble_id = \(head.ensembleID) AND ep.number = \(head.epoch)
                """)
            guard let row = rows.first else { throw StoreError(.corrupt, "'\(name)' has no validation set") }
            let found = ChampionRows(
                ensemble: name, classes: head.classes, epoch: head.epoch, salt: try row["salt"],
                validation: try row.digest("sha256"), rowCount: try row["row_count"], sequence: head.sequence,
                members: champion.members, policy: try await Self.policy(of: head, on: connection),
                validationSet: try row["id"],
                candidates: try await Self.candidates(
                    ensemble: head.ensembleID, epoch: head.epoch, among: champion.members, on: connection))
            try await Self.audit(
                .readChampionRows, subject: "ensemble \(name)", actor: reader,
                detail: [
                    "epoch": .integer(Int64(head.epoch)), "manifest": .integer(Int64(head.sequence)),
                    "validation": .string(found.validation.hex),
                ], on: connection)
            return found
        }
    }

    /// Gives the rows in row-id order, 65,536 at a time. They never change, whatever happens to the ensemble
    /// meanwhile. Holds one such block, and one of a member, in memory; no connection while `body` runs.
    ///
    /// - Throws: ``StoreError`` with code `corrupt` when the predictions do not match their digests: of the last block,
    ///   before `body` is called; what `body` throws.
    public func withBlocks(
        of rows: ChampionRows, _ body: (ChampionRowBlock) async throws -> Void
    ) async throws {
        var shapes = rows.candidates.map { _ in
            BlockShape(rowCount: rows.rowCount, classCount: rows.classes.count)
        }
        let blockCount = (rows.rowCount + StoreLimits.blockRows - 1) / StoreLimits.blockRows
        for number in 0..<blockCount {
            var block = try await labelledBlock(number, of: rows)
            var average = RowAverage(rowCount: block.ids.count, classCount: rows.classes.count)
            for (index, candidate) in rows.candidates.enumerated() {
                let found = try await query(
                    """
                    SELECT probabilities FROM prediction_block
                    WHERE submission_id = \(candidate.submission) AND block = \(number)
                    """
                ) { try $0.decode([UInt8].self) }
                let bytes = found.first ?? []
                _ = try shapes[index].add(bytes)
                average.add(bytes)
                if number == blockCount - 1, try shapes[index].finish() != candidate.predictions {
                    throw StoreError(
                        .corrupt,
                        "the stored predictions of \(candidate.model) do not match their digest; restore them from a "
                            + "backup")
                }
            }
            block.probabilities = average.values
            try await body(block)
        }
    }

    /// A block without its probabilities.
    private func labelledBlock(_ number: Int, of rows: ChampionRows) async throws -> ChampionRowBlock {
        let found = try await query(
            """
            SELECT row_ids, labels, groups, slices FROM validation_row_block
            WHERE validation_set_id = \(rows.validationSet) AND block = \(number)
            """
        ) { try $0.decode([String].self, [Int].self, [String].self, [String].self) }
        let due = min(rows.rowCount - number * StoreLimits.blockRows, StoreLimits.blockRows)
        guard let (ids, labels, groups, slices) = found.first, ids.count == due else {
            throw StoreError(
                .corrupt,
                "block \(number) of the validation set of '\(rows.ensemble)' is missing; restore it from a backup")
        }
        return ChampionRowBlock(ids: ids, labels: labels, groups: groups, slices: slices, probabilities: [])
    }
}

/// Mean predictions of some models on the same rows, summed in the order they are added.
private struct RowAverage {
    private let classCount: Int
    private var sums: [Double]
    /// Models that have the row.
    private var counts: [Int]

    init(rowCount: Int, classCount: Int) {
        self.classCount = classCount
        sums = [Double](repeating: 0, count: rowCount * classCount)
        counts = [Int](repeating: 0, count: rowCount)
    }

    /// Adds a model's little-endian float32 probabilities, as many as there are sums.
    mutating func add(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { bytes in
            func value(_ index: Int) -> Float {
                let bits = bytes.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self)
                return Float(bitPattern: UInt32(littleEndian: bits))
            }
            for row in counts.indices where !value(row * classCount).isNaN {
                counts[row] += 1
                for index in row * classCount..<(row + 1) * classCount { sums[index] += Double(value(index)) }
            }
        }
    }

    /// NaN where no model has the row.
    var values: [Float] { sums.indices.map { Float(sums[$0] / Double(counts[$0 / classCount])) } }
}

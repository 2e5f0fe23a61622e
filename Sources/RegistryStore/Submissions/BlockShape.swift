import EnsembleModel

/// Follows the blocks of one submission's predictions: their sizes, their number and their digest.
struct BlockShape {
    private let rowBytes: Int
    private var rowsLeft: Int
    private var blocks = 0
    private var hasher = ContentHasher()

    init(rowCount: Int, classCount: Int) {
        rowBytes = classCount * MemoryLayout<Float>.size
        rowsLeft = rowCount
    }

    /// Takes the next block and returns its number.
    ///
    /// - Throws: ``StoreError`` with code `corrupt` when it is not a full block, or the last rows.
    mutating func add(_ bytes: [UInt8]) throws -> Int {
        let rows = min(rowsLeft, StoreLimits.blockRows)
        guard rows > 0, bytes.count == rows * rowBytes else {
            throw StoreError(
                .corrupt, "block \(blocks) of the predictions has \(bytes.count) bytes where \(rows * rowBytes) are due"
            )
        }
        hasher.update(bytes)
        rowsLeft -= rows
        defer { blocks += 1 }
        return blocks
    }

    /// The digest of all blocks.
    ///
    /// - Throws: ``StoreError`` with code `corrupt` when rows are missing.
    func finish() throws -> ContentDigest {
        guard rowsLeft == 0 else { throw StoreError(.corrupt, "\(rowsLeft) rows of the predictions are missing") }
        return hasher.finish()
    }
}

public import EnsembleModel

/// The checked probabilities of one upload, in row-id order, in a temporary file that goes with this object.
public final class SpooledPredictions: Sendable {
    /// Rows of a block, except of the last.
    public static let rowsPerBlock = 65_536

    private let file: SpoolFile
    private let layout: SpoolLayout
    private let counts: [Int]
    /// The SHA-256 of all blocks' bytes in order: equal to ``EnsembleModel/Predictions/digest`` of the same values.
    public let digest: ContentDigest

    /// Number of rows, N, missing ones included.
    public var rowCount: Int { layout.rowCount }
    /// Number of classes, K.
    public var classCount: Int { layout.classCount }
    /// Rows without a prediction: NaN in every class.
    public var missingRowCount: Int { rowCount - counts.reduce(0, +) }
    /// Number of blocks.
    public var blockCount: Int { layout.blockCount }

    init(_ spool: PredictionSpool) throws(IngestStop) {
        file = spool.file
        layout = spool.layout
        counts = spool.counts
        var hasher = ContentHasher()
        for block in 0..<layout.blockCount {
            hasher.update(try Self.read(block, file, layout, counts[block]))
        }
        digest = hasher.finish()
    }

    /// The little-endian 32-bit floats of a block of rows, row by row.
    ///
    /// - Throws: ``IngestError`` with code `spool` when the temporary file cannot be read.
    public func block(_ index: Int) throws(IngestError) -> [UInt8] {
        do throws(IngestStop) {
            return try Self.read(index, file, layout, counts[index])
        } catch {
            throw FaultLog().error(endedBy: error)
        }
    }

    /// Passes every block on, in row-id order.
    public nonisolated(nonsending) func withBlocks(
        _ body: nonisolated(nonsending) ([UInt8]) async throws -> Void
    ) async throws {
        for index in 0..<blockCount { try await body(block(index)) }
    }

    private static func read(
        _ block: Int, _ file: SpoolFile, _ layout: SpoolLayout, _ count: Int
    ) throws(IngestStop) -> [UInt8] {
        let rowBytes = 4 * layout.classCount
        var values = [UInt8](repeating: 0, count: layout.rowCount(ofBlock: block) * rowBytes)
        if count < layout.rowCount(ofBlock: block) {
            values.withUnsafeMutableBytes { bytes in
                for float in bytes.bindMemory(to: UInt32.self).indices {
                    bytes.storeBytes(of: Float.nan.bitPattern.littleEndian, toByteOffset: 4 * float, as: UInt32.self)
                }
            }
        }
        let recordsPerRead = max(1, (256 << 10) / layout.recordBytes)
        var records = [UInt8](repeating: 0, count: min(count, recordsPerRead) * layout.recordBytes)
        for first in stride(from: 0, to: count, by: recordsPerRead) {
            let size = min(recordsPerRead, count - first) * layout.recordBytes
            try records.lendMutable { (bytes) throws(IngestStop) in
                let piece = UnsafeMutableRawBufferPointer(rebasing: bytes[..<size])
                try file.read(into: piece, at: layout.offset(ofBlock: block) + first * layout.recordBytes)
                values.withUnsafeMutableBytes { scatter(UnsafeRawBufferPointer(piece), rowBytes: rowBytes, into: $0) }
            }
        }
        return values
    }

    /// Copies records to their rows' places.
    private static func scatter(
        _ records: UnsafeRawBufferPointer, rowBytes: Int, into values: UnsafeMutableRawBufferPointer
    ) {
        for start in stride(from: 0, to: records.count, by: 4 + rowBytes) {
            let row = Int(UInt32(littleEndian: records.loadUnaligned(fromByteOffset: start, as: UInt32.self)))
            let place = UnsafeMutableRawBufferPointer(rebasing: values[row * rowBytes..<(row + 1) * rowBytes])
            place.copyMemory(from: UnsafeRawBufferPointer(rebasing: records[start + 4..<start + 4 + rowBytes]))
        }
    }
}

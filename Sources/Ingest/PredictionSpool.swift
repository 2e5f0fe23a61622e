/// Writes probability rows, in whatever order they come, into a temporary file that can be read back in row order.
///
/// Each block of rows has its own region of the file, to which its rows are appended as (row in block, K floats): no
/// random writes, and one small buffer a block whatever the size of the upload.
struct PredictionSpool {
    private static let bufferBytes = 16 << 10

    let file: SpoolFile
    let layout: SpoolLayout
    /// Records of each block, written or buffered.
    private(set) var counts: [Int]
    /// Bytes of each block that wait in its buffer.
    private var waiting: [Int]
    private var buffers: [UInt8]
    private let bufferBytes: Int

    init(layout: SpoolLayout, directory: String) throws(IngestStop) {
        file = try SpoolFile(directory: directory)
        self.layout = layout
        let wholeRecords = max(1, Self.bufferBytes / layout.recordBytes)
        bufferBytes = wholeRecords * layout.recordBytes
        counts = Array(repeating: 0, count: layout.blockCount)
        waiting = counts
        buffers = Array(repeating: 0, count: bufferBytes * layout.blockCount)
    }

    /// Appends a row's K probabilities; a row must not come twice.
    mutating func append(row: Int, _ values: [Float]) throws(IngestStop) {
        let block = row / SpooledPredictions.rowsPerBlock
        if waiting[block] == bufferBytes { try flush(block) }
        let start = block * bufferBytes + waiting[block]
        buffers.withUnsafeMutableBytes { bytes in
            let rowInBlock = UInt32(row % SpooledPredictions.rowsPerBlock)
            bytes.storeBytes(of: rowInBlock.littleEndian, toByteOffset: start, as: UInt32.self)
            for (column, value) in values.enumerated() {
                bytes.storeBytes(
                    of: value.bitPattern.littleEndian, toByteOffset: start + 4 + 4 * column, as: UInt32.self)
            }
        }
        waiting[block] += layout.recordBytes
        counts[block] += 1
    }

    /// Writes what waits and hands over the file.
    mutating func finish() throws(IngestStop) {
        for block in waiting.indices { try flush(block) }
    }

    private mutating func flush(_ block: Int) throws(IngestStop) {
        let written = counts[block] * layout.recordBytes - waiting[block]
        let range = block * bufferBytes..<block * bufferBytes + waiting[block]
        try buffers.lend { (bytes) throws(IngestStop) in
            try file.write(UnsafeRawBufferPointer(rebasing: bytes[range]), at: layout.offset(ofBlock: block) + written)
        }
        waiting[block] = 0
    }
}

/// Where the rows of N x K probabilities are in a spool file.
struct SpoolLayout {
    let rowCount: Int
    let classCount: Int

    /// The row's place in its block, then K floats.
    var recordBytes: Int { 4 + 4 * classCount }
    var blockCount: Int { (rowCount + SpooledPredictions.rowsPerBlock - 1) / SpooledPredictions.rowsPerBlock }

    func offset(ofBlock block: Int) -> Int { block * SpooledPredictions.rowsPerBlock * recordBytes }

    func rowCount(ofBlock block: Int) -> Int {
        min(SpooledPredictions.rowsPerBlock, rowCount - block * SpooledPredictions.rowsPerBlock)
    }
}

import CForestKernels

/// Rows put in the order of their segments, each of which starts at a new word of 64 rows.
struct SegmentLayout: Sendable {
    /// Words that are looked at together.
    struct Chunk: Sendable {
        let firstBlock: Int
        fileprivate(set) var runs: [cfk_run] = []

        /// Number of words up to the last run's end.
        var wordCount: Int {
            runs.last.map { Int($0.first_word) + SegmentLayout.words(Int($0.row_count)) } ?? 0
        }
    }

    /// Rows of one segment in a block.
    struct Piece: Sendable {
        let segment: Int
        let rows: Range<Int>
    }

    /// The row at each place; negative where there is none.
    private(set) var rows: [Int32] = []
    /// The rows of each segment in each block.
    private(set) var pieces: [[Piece]] = []
    private(set) var chunks: [Chunk] = []
    private(set) var runCount = 0

    /// Number of blocks of rows, the last one perhaps not full.
    var blockCount: Int { (rows.count + Int(CFK_ROWS) - 1) / Int(CFK_ROWS) }

    private static let wordRows = Int(CFK_WORD_ROWS)
    private static let chunkRows = Int(CFK_WORDS) * wordRows

    private static func words(_ rowCount: Int) -> Int { (rowCount + wordRows - 1) / wordRows }

    init(_ segments: [Int], segmentCount: Int) {
        var ends = [Int](repeating: 0, count: segmentCount)
        for segment in segments { ends[segment] += 1 }
        for segment in ends.indices.dropFirst() { ends[segment] += ends[segment - 1] }
        var next = [0] + ends.dropLast()
        var sorted = [Int32](repeating: 0, count: segments.count)
        for (row, segment) in segments.enumerated() {
            sorted[next[segment]] = Int32(row)
            next[segment] += 1
        }
        var first = 0
        for (segment, end) in ends.enumerated() {
            while first < end {
                if rows.count.isMultiple(of: Self.chunkRows) { chunks.append(Chunk(firstBlock: blockCount)) }
                let inChunk = rows.count % Self.chunkRows
                let last = min(end, first + Self.chunkRows - inChunk)
                addRun(sorted[first..<last], segment: segment, firstWord: inChunk / Self.wordRows)
                first = last
            }
        }
    }

    private mutating func addRun(_ own: ArraySlice<Int32>, segment: Int, firstWord: Int) {
        var first = rows.count
        while first < rows.count + own.count {
            let (block, start) = first.quotientAndRemainder(dividingBy: Int(CFK_ROWS))
            let count = min(Int(CFK_ROWS) - start, rows.count + own.count - first)
            if block == pieces.count { pieces.append([]) }
            pieces[block].append(Piece(segment: segment, rows: start..<start + count))
            first += count
        }
        chunks[chunks.count - 1].runs.append(
            cfk_run(segment: UInt32(segment), first_word: UInt32(firstWord), row_count: UInt32(own.count)))
        runCount += 1
        let places = Self.words(own.count) * Self.wordRows
        rows += own
        rows += repeatElement(-1, count: places - own.count)
    }
}

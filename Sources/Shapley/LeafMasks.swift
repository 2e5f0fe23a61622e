import CForestKernels

/// Masks of all leaves, for blocks of rows.
struct LeafMasks: Sendable {
    let paths: LeafPaths
    let instructions: Instructions
    /// Where each leaf's masks start, in units of a block's rows.
    private let starts: [UInt32]
    private let bytesEach: Int

    init(paths: LeafPaths, instructions: Instructions) {
        self.paths = paths
        self.instructions = instructions
        var next = 0
        starts = paths.leaves.map { leaf in
            defer { next += (Int(leaf.player_count) + 7) / 8 }
            return UInt32(next)
        }
        bytesEach = next
    }

    /// Calls `body` with the masks of each block of rows.
    ///
    /// - Throws: ``ShapleyError`` with code `invalidShape` when `rows` is not whole rows.
    func forEachBlock(
        of rows: [Double],
        _ body: (_ rows: Range<Int>, _ paths: UnsafePointer<cfk_paths>, _ masks: UnsafePointer<cfk_masks>) -> Void
    ) throws(ShapleyError) {
        let (rowCount, blockRows, width) = (try paths.rowCount(of: rows), Int(CFK_ROWS), paths.columnCount)
        let bins = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: max(1, paths.columns.count) * blockRows)
        bins.initialize(repeating: 0)
        let bytes = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: max(1, bytesEach) * blockRows)
        defer {
            bins.deallocate()
            bytes.deallocate()
        }
        guard let binsStart = bins.baseAddress, let bytesStart = bytes.baseAddress else { return }
        starts.withUnsafeBufferPointer { starts in
            // Without leaves there is nothing to do.
            guard let startsBase = starts.baseAddress else { return }
            var masks = cfk_masks(bytes: bytesStart, starts: startsBase)
            paths.withKernelPaths { kernelPaths in
                for first in stride(from: 0, to: rowCount, by: blockRows) {
                    let own = first..<min(first + blockRows, rowCount)
                    rows.withUnsafeBufferPointer { rows in
                        let block = rows.extracting(own.lowerBound * width..<own.upperBound * width)
                        paths.columns.fill(binsStart, rows: block, width: width)
                    }
                    for leaf in starts.indices {
                        cfk_fill_masks(
                            instructions.code, kernelPaths, leaf, binsStart,
                            bytesStart + Int(starts[leaf]) * blockRows)
                    }
                    body(own, kernelPaths, &masks)
                }
            }
        }
    }
}

import CForestKernels

/// The leaves in batches that share planes: which rows are within a bound is found out once for all leaves of a batch,
/// mostly those of a few trees, whose splits have one bound each.
struct PlaneBatches: Sendable {
    /// Leaves of one class.
    struct Batch: Sendable {
        let classIndex: Int
        fileprivate(set) var leaves: Range<Int>
        fileprivate(set) var bounds: [cfk_bound] = []
        /// Where each leaf's table starts, and the end of the last one's.
        fileprivate(set) var tableStarts = [0]
    }

    /// From so many bounds on, a batch is full: their planes should stay in the first caches.
    private static let fullBounds = 32
    /// Numbers in a full batch's tables.
    private static let fullTables = 1 << 14

    private(set) var all: [Batch] = []
    private(set) var mostBounds = 0
    private(set) var mostTableNumbers = 0
    private var starts: [UInt32] = [0]
    private var references: [UInt32] = []

    init(_ paths: LeafPaths) {
        for index in 0..<paths.classCount {
            var known: [UInt64: UInt32] = [:]
            var batch = Batch(classIndex: index, leaves: paths.classStarts[index]..<paths.classStarts[index])
            for leaf in paths.classStarts[index]..<paths.classStarts[index + 1] {
                if batch.bounds.count >= Self.fullBounds || batch.tableStarts[batch.leaves.count] >= Self.fullTables {
                    close(batch)
                    known = [:]
                    batch = Batch(classIndex: index, leaves: leaf..<leaf)
                }
                add(paths, leaf, to: &batch, &known)
            }
            close(batch)
        }
    }

    /// Numbers in the table of one of a leaf's players.
    static func tableStride(_ leaf: cfk_leaf) -> Int { max(16, 1 << Int(leaf.player_count)) }

    /// Calls `body` with what the leaves' tests are in a batch's planes.
    func withKernelPlanes(_ words: UnsafePointer<UInt64>, _ body: (UnsafePointer<cfk_planes>) -> Void) {
        starts.withUnsafeBufferPointer { starts in
            references.withUnsafeBufferPointer { references in
                guard let starts = starts.baseAddress else { return }
                var planes = cfk_planes(words: words, starts: starts, references: references.baseAddress)
                withUnsafePointer(to: &planes, body)
            }
        }
    }

    private mutating func close(_ batch: Batch) {
        guard !batch.leaves.isEmpty else { return }
        mostBounds = max(mostBounds, batch.bounds.count)
        mostTableNumbers = max(mostTableNumbers, batch.tableStarts[batch.leaves.count])
        all.append(batch)
    }

    private mutating func add(_ paths: LeafPaths, _ index: Int, to batch: inout Batch, _ known: inout [UInt64: UInt32])
    {
        let leaf = paths.leaves[index]
        let count = Int(leaf.player_count)
        for player in Int(leaf.first_player)..<Int(leaf.first_player) + count {
            if count <= Int(CFK_MOST_PLANES) {
                for test in paths.tests[Int(paths.testStarts[player])..<Int(paths.testStarts[player + 1])] {
                    // A range is what is within its last bin without what is within the one before its first.
                    let last = test.low + test.width
                    if last < .max { references.append(2 * reference(test.column, last, &batch, &known)) }
                    if test.low > 0 { references.append(2 * reference(test.column, test.low - 1, &batch, &known) + 1) }
                }
            }
            starts.append(UInt32(references.count))
        }
        let numbers = count <= Int(CFK_MOST_COUNTED) ? count * Self.tableStride(leaf) : 0
        batch.tableStarts.append(batch.tableStarts[batch.leaves.count] + numbers)
        batch.leaves = batch.leaves.lowerBound..<index + 1
    }

    private func reference(
        _ column: UInt32, _ last: UInt8, _ batch: inout Batch, _ known: inout [UInt64: UInt32]
    ) -> UInt32 {
        let key = UInt64(column) << 8 | UInt64(last)
        if let index = known[key] { return index }
        let index = UInt32(batch.bounds.count)
        batch.bounds.append(cfk_bound(column: column, last: last))
        known[key] = index
        return index
    }
}

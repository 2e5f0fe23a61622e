import CForestKernels

/// A forest as scoring walks through it: values become ranks among their column's thresholds, nodes 64 bits each, and
/// trees of like depth are walked side by side.
final class ForestScorer: Sendable {
    /// Memory that is written once and read by the kernel.
    private struct Memory {
        private(set) var allocations: [UnsafeMutableRawPointer] = []

        mutating func keep<Value>(_ values: [Value]) -> UnsafeMutablePointer<Value> {
            let memory = UnsafeMutablePointer<Value>.allocate(capacity: max(1, values.count))
            memory.initialize(from: values, count: values.count)
            allocations.append(UnsafeMutableRawPointer(memory))
            return memory
        }
    }

    /// What the kernel is given, with the memory that it points to.
    private struct KernelForest: @unchecked Sendable {
        let forest: cfk_forest
        let memory: Memory
    }

    private let kernel: KernelForest

    /// - Precondition: together the trees have at most 2^20 nodes and leaves, as ``Forest/Limits`` provides.
    init(_ trees: [Tree], classCount: Int) {
        let thresholds = RankedColumn.thresholds(
            of: trees.lazy.flatMap { tree in (0..<tree.nodeCount).lazy.map(tree.split(at:)) })
        let columns = Dictionary(uniqueKeysWithValues: thresholds.enumerated().map { ($1.column, $0) })
        func test(_ split: Split) -> (column: Int, rank: Int) {
            guard let column = columns[RankedColumn(split)] else { preconditionFailure("a split of no column") }
            return (column, thresholds[column].thresholds.rank(of: split.threshold))
        }
        var (nodes, leafValues, roots): ([cfk_node], [Double], [(place: Int, depth: Int)]) = ([], [], [])
        for tree in trees {
            let root = nodes.count
            let depth = Self.append(tree, to: &nodes, &leafValues, test: test)
            roots.append((root, depth))
        }
        precondition(nodes.count <= 1 << CFK_PLACE_BITS, "a forest of more nodes than its limits allow")
        var memory = Memory()
        let forest = Self.forest(thresholds, nodes, leafValues, roots, classCount: classCount, in: &memory)
        kernel = KernelForest(forest: forest, memory: memory)
    }

    private static func forest(
        _ thresholds: [(column: RankedColumn, thresholds: [Double])], _ nodes: [cfk_node], _ leafValues: [Double],
        _ roots: [(place: Int, depth: Int)], classCount: Int, in memory: inout Memory
    ) -> cfk_forest {
        let group = Int(CFK_GROUP)
        let order = roots.indices.sorted { (roots[$0].depth, $0) < (roots[$1].depth, $1) }
        let groupCount = (roots.count + group - 1) / group
        // The last tree is walked again where a group is not full; these leaves go after all others.
        let walked = (0..<groupCount * group).map { order[min($0, order.count - 1)] }
        let positions = walked.enumerated().map { UInt32($0 < order.count ? $1 : $0) }
        let depths = (0..<groupCount).map { UInt32(roots[walked[$0 * group + group - 1]].depth) }
        let kernelColumns = thresholds.map { entry in
            cfk_ranked_column(
                thresholds: memory.keep(entry.thresholds), threshold_count: UInt32(entry.thresholds.count),
                column: UInt32(entry.column.column),
                missing_rank: entry.column.defaultsLeft ? 0 : UInt32(entry.thresholds.count),
                nan_is_missing: entry.column.missingRule == .none ? 0 : 1,
                zero_is_missing: entry.column.missingRule == .zero ? 1 : 0)
        }
        return cfk_forest(
            columns: memory.keep(kernelColumns), column_count: kernelColumns.count, nodes: memory.keep(nodes),
            leaf_values: memory.keep(leafValues), roots: memory.keep(walked.map { UInt32(roots[$0].place) }),
            positions: memory.keep(positions), depths: memory.keep(depths), group_count: groupCount,
            tree_count: roots.count, class_count: classCount, zero_magnitude: Tree.MissingRule.zeroMagnitude)
    }

    deinit {
        for allocation in kernel.memory.allocations { allocation.deallocate() }
    }

    /// Adds up the trees' leaf values for each row, in the order of the trees: the order fixes the last bits.
    func score(
        rows: UnsafeBufferPointer<Double>, featureCount: Int, into scores: UnsafeMutableBufferPointer<Double>
    ) {
        guard let rowMemory = rows.baseAddress, let scoreMemory = scores.baseAddress else { return }
        withUnsafePointer(to: kernel.forest) { forest in
            let leafCount = forest.pointee.group_count * Int(CFK_GROUP)
            withUnsafeTemporaryAllocation(
                of: UInt32.self, capacity: max(1, forest.pointee.column_count + leafCount)
            ) { scratch in
                guard let scratch = scratch.baseAddress else { return }
                cfk_score(
                    forest, rowMemory, rows.count / featureCount, featureCount, scratch,
                    scratch + forest.pointee.column_count, scoreMemory)
            }
        }
    }

    /// Appends a tree, breadth first, so that the two children of a node stand side by side.
    ///
    /// - Parameter test: the column and rank of a split.
    /// - Returns: the most steps from the root to a leaf.
    private static func append(
        _ tree: Tree, to nodes: inout [cfk_node], _ leafValues: inout [Double],
        test: (Split) -> (column: Int, rank: Int)
    ) -> Int {
        let first = nodes.count
        var queue = [(child: tree.nodeCount > 0 ? 0 : -1, depth: 0)]
        var next = 0
        while next < queue.count {
            let (child, depth) = queue[next]
            if child >= 0 {
                let (column, rank) = test(tree.split(at: child))
                nodes.append(node(column: column, rank: rank, place: first + queue.count))
                leafValues.append(0)
                queue.append((tree.leftChildren[child], depth + 1))
                queue.append((tree.rightChildren[child], depth + 1))
            } else {
                // No rank is above this one: the walk stays here.
                nodes.append(node(column: 0, rank: (1 << CFK_RANK_BITS) - 1, place: first + next))
                leafValues.append(tree.leafValues[~child])
            }
            next += 1
        }
        return queue.last?.depth ?? 0
    }

    private static func node(column: Int, rank: Int, place: Int) -> cfk_node {
        UInt64(column) | UInt64(rank) << CFK_COLUMN_BITS
            | UInt64(place) << (CFK_COLUMN_BITS + CFK_RANK_BITS)
    }
}

import CForestKernels
import Forest

/// A forest seen from its leaves: each leaf with the players on its path, their cover ratios and their tests.
///
/// With the path-dependent value function a leaf of value w adds to v(S) `w * product over players j on its path of (j
/// in S ? [all of j's tests hold] : product of j's cover ratios)`, which is TreeSHAP's own form (Lundberg et al. 2020,
/// algorithm 2) with the player in place of the feature. All that a row contributes is therefore one bit for each
/// player of each leaf: its *mask*.
struct LeafPaths: Sendable {
    /// The longest path's number of players decides the size of what is computed for a leaf.
    private(set) var longest = 0
    let classCount: Int
    let columnCount: Int
    let players: Players
    let columns: BinnedColumns
    /// Leaves class by class, in the order of the trees.
    private(set) var leaves: [cfk_leaf] = []
    /// Where each class's leaves start, and the end of the last one's.
    private(set) var classStarts = [0]
    /// Players of the leaves' paths, ascending within a leaf.
    private(set) var pathPlayers: [UInt32] = []
    /// For each of ``pathPlayers``, the share of training rows that pass all its tests by cover: TreeSHAP's "zero
    /// fraction".
    private(set) var coverRatios: [Double] = []
    /// Where the tests of each of ``pathPlayers`` start, and the end of the last one's.
    private(set) var testStarts: [UInt32] = [0]
    private(set) var tests: [cfk_test] = []
    /// v of the empty coalition for each class.
    private(set) var base: [Double] = []

    /// - Throws: ``ShapleyError`` with code `invalidPlayers` when the players' columns are not the forest's.
    init(_ forest: Forest, players: Players) throws(ShapleyError) {
        guard forest.featureCount == players.ofColumn.count else {
            throw ShapleyError(
                .invalidPlayers,
                "the forest has \(forest.featureCount) columns, but players are given for \(players.ofColumn.count)")
        }
        classCount = forest.classCount
        columnCount = forest.featureCount
        self.players = players
        columns = BinnedColumns(of: forest.trees.lazy.flatMap { tree in (0..<tree.nodeCount).lazy.map(tree.split) })
        for index in 0..<forest.classCount {
            base.append(0)
            for position in stride(from: index, to: forest.trees.count, by: forest.classCount) {
                let tree = forest.trees[position]
                var path: [Step] = []
                descend(tree, from: tree.nodeCount > 0 ? 0 : -1, path: &path)
            }
            classStarts.append(leaves.count)
        }
    }

    private struct Step {
        let player: Int
        let coverRatio: Double
        let test: cfk_test
    }

    /// Visits a child: a node, or a leaf when it is negative.
    private mutating func descend(_ tree: Tree, from child: Int, path: inout [Step]) {
        guard child >= 0 else { return addLeaf(value: tree.leafValues[~child], path: path) }
        let split = tree.split(at: child)
        for (next, left) in [(tree.leftChildren[child], true), (tree.rightChildren[child], false)] {
            guard let test = columns.test(split, left: left) else { continue }
            let cover = next >= 0 ? tree.internalCounts[next] : tree.leafCounts[~next]
            let ratio = Double(cover) / Double(tree.internalCounts[child])
            path.append(Step(player: players.ofColumn[split.column], coverRatio: ratio, test: test))
            descend(tree, from: next, path: &path)
            path.removeLast()
        }
    }

    private mutating func addLeaf(value: Double, path: [Step]) {
        let firstPlayer = pathPlayers.count
        var weight = value
        var last = -1
        // The next player in ascending order, until none is left.
        while let player = path.lazy.map(\.player).filter({ $0 > last }).min() {
            var ratio = 1.0
            let first = tests.count
            for step in path where step.player == player {
                ratio *= step.coverRatio
                add(step.test, after: first)
            }
            pathPlayers.append(UInt32(player))
            coverRatios.append(ratio)
            testStarts.append(UInt32(tests.count))
            weight *= ratio
            last = player
        }
        base[base.count - 1] += weight
        longest = max(longest, pathPlayers.count - firstPlayer)
        leaves.append(
            cfk_leaf(
                value: value, first_player: UInt32(firstPlayer), player_count: UInt32(pathPlayers.count - firstPlayer)))
    }

    /// Adds a test, in one with another of the same player and column where they can both hold.
    private mutating func add(_ test: cfk_test, after first: Int) {
        for index in first..<tests.count where tests[index].column == test.column {
            let low = max(tests[index].low, test.low)
            let high = min(tests[index].low + tests[index].width, test.low + test.width)
            guard low <= high else { continue }
            tests[index] = cfk_test(column: test.column, low: low, width: high - low)
            return
        }
        tests.append(test)
    }

    /// Number of rows in a block of N x D values.
    ///
    /// - Throws: ``ShapleyError`` with code `invalidShape` when it is not whole rows.
    func rowCount(of rows: [Double]) throws(ShapleyError) -> Int {
        guard rows.count.isMultiple(of: columnCount) else {
            throw ShapleyError(.invalidShape, "\(rows.count) values are not whole rows of \(columnCount) columns")
        }
        return rows.count / columnCount
    }

    /// Calls `body` with the leaves as the kernels take them.
    func withKernelPaths(_ body: (UnsafePointer<cfk_paths>) -> Void) {
        leaves.withUnsafeBufferPointer { leaves in
            pathPlayers.withUnsafeBufferPointer { players in
                coverRatios.withUnsafeBufferPointer { ratios in
                    testStarts.withUnsafeBufferPointer { starts in
                        tests.withUnsafeBufferPointer { tests in
                            // Without leaves there is nothing to do.
                            guard let leaves = leaves.baseAddress, let starts = starts.baseAddress else { return }
                            var paths = cfk_paths(
                                leaves: leaves, players: players.baseAddress, cover_ratios: ratios.baseAddress,
                                test_starts: starts, tests: tests.baseAddress)
                            withUnsafePointer(to: &paths, body)
                        }
                    }
                }
            }
        }
    }
}

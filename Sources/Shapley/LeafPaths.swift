import Forest

/// A forest seen from its leaves: each leaf with the players on its path, their cover ratios and their conditions.
///
/// With the path-dependent value function a leaf of value w adds to v(S) `w * product over players j on its path of (j
/// in S ? [all of j's conditions hold] : product of j's cover ratios)`, which is TreeSHAP's own form (Lundberg et al.
/// 2020, algorithm 2) with the player in place of the feature. All that a row contributes is therefore one bit for each
/// player of each leaf: its *mask*.
struct LeafPaths: Sendable {
    /// A leaf; its players and cover ratios, and its conditions, are ranges of the flat arrays.
    struct Leaf: Sendable {
        let classIndex: Int
        let value: Double
        let firstPlayer: Int
        let playerCount: Int
        let firstCondition: Int
        let endCondition: Int
    }

    /// A leaf is reached only if the row goes left (or right) at a node.
    struct Condition: Sendable {
        let node: Int
        let left: Bool
        /// The bit of the condition's player in the leaf's mask.
        let bit: Int
    }

    let classCount: Int
    let columnCount: Int
    let players: Players
    private(set) var splits: [Split] = []
    private(set) var leaves: [Leaf] = []
    private(set) var conditions: [Condition] = []
    /// Players of the leaves' paths, ascending within a leaf.
    private(set) var pathPlayers: [Int] = []
    /// For each of ``pathPlayers``, the share of training rows that pass all its conditions by cover: TreeSHAP's "zero
    /// fraction".
    private(set) var coverRatios: [Double] = []
    /// The longest list of players of a leaf.
    private(set) var deepest = 0

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
        for (index, tree) in forest.trees.enumerated() {
            let firstNode = splits.count
            splits += tree.splitFeatures.indices.map(tree.split)
            descend(
                tree, from: tree.nodeCount > 0 ? 0 : -1, firstNode: firstNode, classIndex: index % forest.classCount,
                path: [])
        }
    }

    private struct Step {
        let node: Int
        let left: Bool
        let player: Int
        let coverRatio: Double
    }

    /// Visits a child: a node, or a leaf when it is negative.
    private mutating func descend(_ tree: Tree, from child: Int, firstNode: Int, classIndex: Int, path: [Step]) {
        guard child >= 0 else { return addLeaf(value: tree.leafValues[~child], classIndex: classIndex, path: path) }
        let player = players.ofColumn[tree.splitFeatures[child]]
        for (next, left) in [(tree.leftChildren[child], true), (tree.rightChildren[child], false)] {
            let cover = next >= 0 ? tree.internalCounts[next] : tree.leafCounts[~next]
            let ratio = Double(cover) / Double(tree.internalCounts[child])
            let step = Step(node: firstNode + child, left: left, player: player, coverRatio: ratio)
            descend(tree, from: next, firstNode: firstNode, classIndex: classIndex, path: path + [step])
        }
    }

    private mutating func addLeaf(value: Double, classIndex: Int, path: [Step]) {
        let distinct = Set(path.map(\.player)).sorted()
        let firstPlayer = pathPlayers.count
        let firstCondition = conditions.count
        for (bit, player) in distinct.enumerated() {
            let own = path.filter { $0.player == player }
            pathPlayers.append(player)
            coverRatios.append(own.reduce(1) { $0 * $1.coverRatio })
            conditions += own.map { Condition(node: $0.node, left: $0.left, bit: 1 << bit) }
        }
        deepest = max(deepest, distinct.count)
        leaves.append(
            Leaf(
                classIndex: classIndex, value: value, firstPlayer: firstPlayer, playerCount: distinct.count,
                firstCondition: firstCondition, endCondition: conditions.count))
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

    /// Calls `body` with every row's masks, one for each leaf: bit j is set when all conditions of the leaf's player j
    /// hold.
    func forEachRow(of rows: [Double], _ body: (_ row: Int, _ masks: UnsafePointer<Int>) -> Void) throws(ShapleyError) {
        let rowCount = try rowCount(of: rows)
        let goesLeft = UnsafeMutablePointer<Bool>.allocate(capacity: splits.count)
        let masks = UnsafeMutablePointer<Int>.allocate(capacity: leaves.count)
        defer {
            goesLeft.deallocate()
            masks.deallocate()
        }
        for row in 0..<rowCount {
            for (position, split) in splits.enumerated() {
                goesLeft[position] = split.goesLeft(rows[row * columnCount + split.column])
            }
            fillMasks(masks, goesLeft: goesLeft)
            body(row, masks)
        }
    }

    /// The hot loop: plain `while` over unsafe pointers, because iterators cost ten times as much in debug builds.
    private func fillMasks(_ masks: UnsafeMutablePointer<Int>, goesLeft: UnsafePointer<Bool>) {
        leaves.withUnsafeBufferPointer { leaves in
            conditions.withUnsafeBufferPointer { conditions in
                var index = 0
                while index < leaves.count {
                    let leaf = leaves[index]
                    var mask = (1 << leaf.playerCount) - 1
                    var position = leaf.firstCondition
                    while position < leaf.endCondition {
                        let condition = conditions[position]
                        if goesLeft[condition.node] != condition.left { mask &= ~condition.bit }
                        position += 1
                    }
                    masks[index] = mask
                    index += 1
                }
            }
        }
    }
}

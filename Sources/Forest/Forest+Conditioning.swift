extension Forest {
    /// The forest whose raw scores are the path-dependent value function v(S) of this one: what it says when only some
    /// columns are known. A split on a known column is followed, one on another is averaged over both sides by their
    /// shares of the training rows (TreeSHAP, Lundberg 2020), exactly but for rounding.
    ///
    /// Worth keeping for all rows that lack the same columns: it is scored as fast as any forest of its size.
    ///
    /// - Parameter isKnown: whether a column is known.
    /// - Throws: ``ForestError`` with code `tooLarge` when it would have more nodes than a forest may have.
    public func conditioned(onColumns isKnown: (Int) -> Bool) throws(ForestError) -> Forest {
        var ofClasses = [[Tree]](repeating: [], count: classCount)
        var room = Limits.accepted.nodes
        for (index, tree) in trees.enumerated() {
            var conditioned = ConditionedTree(tree, isKnown: isKnown)
            ofClasses[index % classCount] += try conditioned.trees(room: &room)
        }
        let rounds = ofClasses.map(\.count).max() ?? 0
        let all = (0..<rounds).flatMap { round in
            ofClasses.map { $0.indices.contains(round) ? $0[round] : ConditionedTree.nothing }
        }
        return Forest(trees: all, classCount: classCount, featureCount: featureCount)
    }
}

/// A tree of which some columns are not known, as a sum of trees without them.
///
/// A node on an unknown column is the sum of what its sides are. A node on a known one whose sides are sums is the sum
/// of nodes that have one summand of each side, or nothing where a side has fewer. So each leaf stands in one summand.
private struct ConditionedTree {
    /// Adds nothing.
    static let nothing = Tree(
        splitFeatures: [], thresholds: [], defaultsLeft: [], missingRules: [], leftChildren: [], rightChildren: [],
        leafValues: [0], leafCounts: [1], internalCounts: [])

    /// A node of a summand: a node of the tree with its children among the summands' nodes, or `~` a value.
    private struct Node {
        let node: Int
        let left: Int
        let right: Int
    }

    private let tree: Tree
    private let isKnown: [Bool]
    private var nodes: [Node] = []
    private var values: [Double] = [0]
    private static let zero = ~0

    init(_ tree: Tree, isKnown: (Int) -> Bool) {
        self.tree = tree
        self.isKnown = tree.splitFeatures.map(isKnown)
    }

    /// The summands; a child comes after its parent, so no recursion is needed.
    ///
    /// - Parameter room: nodes that they may have, less those that they have.
    mutating func trees(room: inout Int) throws(ForestError) -> [Tree] {
        let weights = leafWeights()
        let leaves = tree.leafValues.indices.map { leaf in
            values.append(tree.leafValues[leaf] * weights[leaf])
            return ~(values.count - 1)
        }
        var ofNodes = [[Int]](repeating: [], count: tree.nodeCount)
        func summands(of child: Int) -> [Int] { child >= 0 ? ofNodes[child] : [leaves[~child]] }
        for node in (0..<tree.nodeCount).reversed() {
            let left = summands(of: tree.leftChildren[node])
            let right = summands(of: tree.rightChildren[node])
            ofNodes[node] = isKnown[node] ? paired(left, right, at: node) : added(left + right)
            guard nodes.count <= room else {
                throw ForestError(.tooLarge, "without some columns the forest has too many nodes to be scored")
            }
        }
        let result = summands(of: tree.nodeCount > 0 ? 0 : -1).map(flattened)
        room -= nodes.count
        return result
    }

    /// Each leaf's share of the rows, by the sides of unknown nodes on its path.
    private func leafWeights() -> [Double] {
        var weights = [Double](repeating: 1, count: tree.nodeCount)
        var leafWeights = [Double](repeating: 1, count: tree.leafCount)
        for node in 0..<tree.nodeCount {
            for child in [tree.leftChildren[node], tree.rightChildren[node]] {
                let count = child >= 0 ? tree.internalCounts[child] : tree.leafCounts[~child]
                let share = isKnown[node] ? 1 : Double(count) / Double(tree.internalCounts[node])
                if child >= 0 {
                    weights[child] = weights[node] * share
                } else {
                    leafWeights[~child] = weights[node] * share
                }
            }
        }
        return leafWeights
    }

    private mutating func paired(_ left: [Int], _ right: [Int], at node: Int) -> [Int] {
        (0..<max(left.count, right.count)).map { index in
            nodes.append(
                Node(
                    node: node, left: left.indices.contains(index) ? left[index] : Self.zero,
                    right: right.indices.contains(index) ? right[index] : Self.zero))
            return nodes.count - 1
        }
    }

    /// A sum, its constants put together.
    private mutating func added(_ summands: [Int]) -> [Int] {
        let constants = summands.filter { $0 < 0 }
        guard constants.count > 1 else { return summands }
        values.append(constants.reduce(0) { $0 + values[~$1] })
        return summands.filter { $0 >= 0 } + [~(values.count - 1)]
    }

    /// A summand as a tree of its own.
    private func flattened(_ root: Int) -> Tree {
        var (origins, left, right): ([Int], [Int], [Int]) = ([], [], [])
        var leafValues: [Double] = []
        var open = [(child: root, parent: -1, isLeft: false)]
        while let (child, parent, isLeft) = open.popLast() {
            let place = child >= 0 ? origins.count : ~leafValues.count
            if parent >= 0 {
                if isLeft { left[parent] = place } else { right[parent] = place }
            }
            guard child >= 0 else {
                leafValues.append(values[~child])
                continue
            }
            origins.append(nodes[child].node)
            left.append(0)
            right.append(0)
            open.append((nodes[child].right, place, false))
            open.append((nodes[child].left, place, true))
        }
        return Tree(
            splitFeatures: origins.map { tree.splitFeatures[$0] }, thresholds: origins.map { tree.thresholds[$0] },
            defaultsLeft: origins.map { tree.defaultsLeft[$0] }, missingRules: origins.map { tree.missingRules[$0] },
            leftChildren: left, rightChildren: right, leafValues: leafValues,
            // Nothing is averaged by these any more.
            leafCounts: leafValues.map { _ in 1 }, internalCounts: origins.map { _ in 1 })
    }
}

/// All trees of a forest in one array of nodes: what scoring walks through.
struct ForestScorer: Sendable {
    struct Node: Sendable {
        let threshold: Double
        let feature: Int32
        /// A node of the whole forest, or `~` a leaf of the whole forest.
        let left: Int32
        let right: Int32
        let missingRule: Tree.MissingRule
        let defaultsLeft: Bool
    }

    private let nodes: [Node]
    private let leafValues: [Double]
    private let roots: [Int32]

    init(_ trees: [Tree]) {
        var (nodes, leafValues, roots): ([Node], [Double], [Int32]) = ([], [], [])
        nodes.reserveCapacity(trees.reduce(0) { $0 + $1.nodeCount })
        leafValues.reserveCapacity(trees.reduce(0) { $0 + $1.leafCount })
        for tree in trees {
            let (firstNode, firstLeaf) = (nodes.count, leafValues.count)
            func place(_ child: Int) -> Int32 { Int32(child >= 0 ? child + firstNode : child - firstLeaf) }
            roots.append(place(tree.nodeCount > 0 ? 0 : -1))
            for node in 0..<tree.nodeCount {
                nodes.append(
                    Node(
                        threshold: tree.thresholds[node], feature: Int32(tree.splitFeatures[node]),
                        left: place(tree.leftChildren[node]), right: place(tree.rightChildren[node]),
                        missingRule: tree.missingRules[node], defaultsLeft: tree.defaultsLeft[node]))
            }
            leafValues += tree.leafValues
        }
        self.nodes = nodes
        self.leafValues = leafValues
        self.roots = roots
    }

    /// Adds up the trees' leaf values for each row, in the order of the trees: the order fixes the last bits.
    func score(
        rows: UnsafeBufferPointer<Double>, featureCount: Int, into scores: UnsafeMutableBufferPointer<Double>,
        classCount: Int
    ) {
        scores.update(repeating: 0)
        nodes.withUnsafeBufferPointer { nodes in
            leafValues.withUnsafeBufferPointer { leafValues in
                roots.withUnsafeBufferPointer { roots in
                    for row in 0..<scores.count / classCount {
                        let (input, output) = (row * featureCount, row * classCount)
                        var column = 0
                        for root in roots {
                            var next = root
                            while next >= 0 {
                                let node = nodes[Int(next)]
                                let value = rows[input + Int(node.feature)]
                                let goesLeft = node.missingRule.sendsLeft(
                                    value, threshold: node.threshold, defaultsLeft: node.defaultsLeft)
                                next = goesLeft ? node.left : node.right
                            }
                            scores[output + column] += leafValues[Int(~next)]
                            column = column + 1 == classCount ? 0 : column + 1
                        }
                    }
                }
            }
        }
    }
}

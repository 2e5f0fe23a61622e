extension Forest {
    /// Reads LightGBM's text model, version 4: multiclass, numeric splits, constant leaves.
    ///
    /// - Parameters:
    ///   - text: the text model.
    ///   - limits: what the forest may consist of.
    /// - Throws: ``ForestError`` for anything that is missing, inconsistent, unsupported or over the limits.
    public init(lightGBMText text: String, limits: Limits = .accepted) throws(ForestError) {
        try self.init(lightGBMText: text.utf8, limits: limits)
    }

    /// Reads LightGBM's text model, version 4: multiclass, numeric splits, constant leaves.
    ///
    /// - Parameters:
    ///   - bytes: the text model.
    ///   - limits: what the forest may consist of.
    /// - Throws: ``ForestError`` for anything that is missing, inconsistent, unsupported or over the limits.
    public init(lightGBMText bytes: some Collection<UInt8>, limits: Limits = .accepted) throws(ForestError) {
        try self.init(LightGBMText(Array(bytes), limits: limits), limits: limits)
    }

    init(_ text: LightGBMText, limits: Limits) throws(ForestError) {
        let (classCount, featureCount) = try Self.shape(text)
        guard !text.trees.isEmpty, text.trees.count.isMultiple(of: classCount) else {
            throw ForestError(.malformed, "\(text.trees.count) trees are not whole rounds of \(classCount) classes")
        }
        var trees: [Tree] = []
        var nodeCount = 0
        for (number, fields) in text.trees.enumerated() {
            let reader = TreeReader(text: text, fields: fields, number: number, featureCount: featureCount)
            let tree = try reader.tree(nodeLimit: limits.nodes - nodeCount)
            nodeCount += tree.nodeCount
            trees.append(tree)
        }
        self.init(trees: trees, classCount: classCount, featureCount: featureCount)
    }

    /// Checks the header.
    private static func shape(_ text: LightGBMText) throws(ForestError) -> (classCount: Int, featureCount: Int) {
        func integer(_ key: String, in range: ClosedRange<Int>) throws(ForestError) -> Int {
            let values = try LightGBMText.integers(text.header(key), count: 1, as: key, of: "the header")
            guard let value = values.first, range.contains(value) else {
                throw ForestError(
                    .malformed, "\(key) in the header is not a number from \(range.lowerBound) to \(range.upperBound)")
            }
            return value
        }
        let version = try String(decoding: text.header("version").prefix(40), as: UTF8.self)
        guard version == "v4" else {
            throw ForestError(.unsupported, "the text model is of version '\(version)'; only v4 is read")
        }
        let classCount = try integer("num_class", in: 2...4096)
        guard try text.header("objective").elementsEqual("multiclass num_class:\(classCount)".utf8) else {
            throw ForestError(.unsupported, "the objective is not 'multiclass num_class:\(classCount)'")
        }
        guard try integer("num_tree_per_iteration", in: 1...4096) == classCount else {
            throw ForestError(.malformed, "num_tree_per_iteration is not the \(classCount) of num_class")
        }
        guard !text.header.contains(where: { $0.key == "average_output" }) else {
            throw ForestError(.unsupported, "a random forest (average_output) is not read")
        }
        let featureCount = try integer("max_feature_idx", in: 0...1_048_575) + 1
        for key in ["feature_names", "feature_infos"] {
            _ = try LightGBMText.words(text.header(key), count: featureCount, as: key, of: "the header")
        }
        return (classCount, featureCount)
    }
}

/// Reads one tree's fields and checks that they form a tree.
private struct TreeReader {
    let text: LightGBMText
    let fields: [LightGBMText.Field]
    let number: Int
    let featureCount: Int

    func tree(nodeLimit: Int) throws(ForestError) -> Tree {
        let leafCount = try single("num_leaves")
        guard leafCount >= 1 else { throw malformed("num_leaves is \(leafCount)") }
        guard leafCount - 1 <= nodeLimit else {
            throw ForestError(.tooLarge, "tree \(number) exceeds the number of nodes that all trees may have together")
        }
        guard try single("num_cat") == 0 else {
            throw ForestError(.unsupported, "tree \(number) has categorical splits")
        }
        guard try single("is_linear") == 0 else { throw ForestError(.unsupported, "tree \(number) has linear leaves") }
        let decisions = try integers("decision_type", leafCount - 1)
        let tree = Tree(
            splitFeatures: try integers("split_feature", leafCount - 1),
            // A split that only parts missing values from all others has an infinite threshold.
            thresholds: try numbers("threshold", leafCount - 1, allowingInfinity: true).map(Self.normalized),
            defaultsLeft: decisions.map { $0 & 2 != 0 },
            missingRules: try missingRules(decisions),
            leftChildren: try integers("left_child", leafCount - 1),
            rightChildren: try integers("right_child", leafCount - 1),
            leafValues: try numbers("leaf_value", leafCount),
            leafCounts: try integers("leaf_count", leafCount),
            internalCounts: try integers("internal_count", leafCount - 1))
        guard tree.splitFeatures.allSatisfy({ (0..<featureCount).contains($0) }) else {
            throw malformed("split_feature is not one of the \(featureCount) columns")
        }
        try checkShape(of: tree)
        return tree
    }

    /// Every node and leaf must be one node's child, and each node count what its children count.
    ///
    /// There are as many children as nodes (without the root) and leaves, so where none is had twice, none is left out.
    private func checkShape(of tree: Tree) throws(ForestError) {
        guard tree.nodeCount > 0 else { return }
        var nodeTaken = [Bool](repeating: false, count: tree.nodeCount)
        var leafTaken = [Bool](repeating: false, count: tree.leafCount)
        nodeTaken[0] = true
        for node in 0..<tree.nodeCount {
            var count = 0
            for child in [tree.leftChildren[node], tree.rightChildren[node]] {
                guard child < tree.nodeCount, ~child < tree.leafCount else {
                    throw malformed("node \(node) has no child \(child)")
                }
                // LightGBM numbers a child after its parent, so no walk through a tree can go round.
                guard child < 0 || child > node, child >= 0 ? !nodeTaken[child] : !leafTaken[~child] else {
                    throw malformed("node \(node) has child \(child), which is its ancestor or another node's child")
                }
                if child >= 0 { nodeTaken[child] = true } else { leafTaken[~child] = true }
                let childCount = child >= 0 ? tree.internalCounts[child] : tree.leafCounts[~child]
                guard childCount > 0 else { throw malformed("a child of node \(node) counts \(childCount) rows") }
                count += childCount
            }
            guard count == tree.internalCounts[node] else {
                throw malformed("node \(node) counts \(tree.internalCounts[node]) rows, its children \(count)")
            }
        }
    }

    private func missingRules(_ decisions: [Int]) throws(ForestError) -> [Tree.MissingRule] {
        var rules: [Tree.MissingRule] = []
        for decision in decisions {
            if decision & 1 != 0 { throw ForestError(.unsupported, "tree \(number) has a categorical split") }
            guard (0..<12).contains(decision), let rule = Tree.MissingRule(rawValue: UInt8(decision >> 2)) else {
                throw malformed("decision_type \(decision) is unknown")
            }
            rules.append(rule)
        }
        return rules
    }

    /// LightGBM sets values of magnitude up to its zero threshold to 0 before it compares them. With thresholds in that
    /// range moved to its edge a plain comparison decides the same, and no value has to be changed.
    private static func normalized(_ threshold: Double) -> Double {
        let zero = Tree.MissingRule.zeroMagnitude
        guard -zero..<zero ~= threshold else { return threshold }
        return threshold >= 0 ? zero : (-zero).nextDown
    }

    private func single(_ key: String) throws(ForestError) -> Int {
        try integers(key, 1)[0]
    }

    private func integers(_ key: String, _ count: Int) throws(ForestError) -> [Int] {
        try LightGBMText.integers(value(key), count: count, as: key, of: "tree \(number)")
    }

    private func numbers(_ key: String, _ count: Int, allowingInfinity: Bool = false) throws(ForestError) -> [Double] {
        try LightGBMText.numbers(
            value(key), count: count, as: key, of: "tree \(number)", allowingInfinity: allowingInfinity)
    }

    private func value(_ key: String) throws(ForestError) -> ArraySlice<UInt8> {
        try text.value(key, in: fields, of: "tree \(number)")
    }

    private func malformed(_ message: String) -> ForestError { ForestError(.malformed, "tree \(number): \(message)") }
}

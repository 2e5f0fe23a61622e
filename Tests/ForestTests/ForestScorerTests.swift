import RegistryTesting
import Testing

@testable import Forest

/// Scores of the kernel against a walk through each tree, on random forests.
@Suite struct ForestScorerTests {
    private static let featureCount = 5
    /// Values on, beside and between thresholds, and everything that may be missing.
    private static let values: [Double] = [
        .nan, 0, -0.0, 1e-36, -1e-36, 1e-34, -1e-34, .infinity, -.infinity, .greatestFiniteMagnitude, 0.25,
        (0.25).nextUp, (0.25).nextDown, 0.5, (0.5).nextUp, 0.75, -1, 3,
    ]

    /// A tree whose leaves were split at random; `isChain` always splits the newest leaf.
    private static func tree(
        leaves: Int, isChain: Bool, rules: [Tree.MissingRule], _ random: inout SplitMix64
    ) -> Tree {
        var (left, right): ([Int], [Int]) = ([], [])
        // Where each leaf hangs.
        var places: [(node: Int, isLeft: Bool)?] = [nil]
        while places.count < leaves {
            let split = isChain ? places.count - 1 : Int.random(in: 0..<places.count, using: &random)
            let node = left.count
            if let place = places[split] {
                if place.isLeft { left[place.node] = node } else { right[place.node] = node }
            }
            left.append(~split)
            right.append(~places.count)
            places[split] = (node, true)
            places.append((node, false))
        }
        let nodes = leaves - 1
        let leafCounts = (0..<leaves).map { _ in Int.random(in: 1...50, using: &random) }
        var internalCounts = [Int](repeating: 0, count: nodes)
        for node in internalCounts.indices.reversed() {
            internalCounts[node] = [left[node], right[node]].reduce(0) {
                $0 + ($1 >= 0 ? internalCounts[$1] : leafCounts[~$1])
            }
        }
        let thresholds = values.filter { !$0.isNaN && $0 > -.infinity }
        func draw<Value>(_ choices: [Value]) -> [Value] {
            (0..<nodes).map { _ in choices.randomElement(using: &random) ?? choices[0] }
        }
        return Tree(
            splitFeatures: draw(Array(0..<featureCount)),
            thresholds: leaves > 200 ? (0..<nodes).map { _ in .random(in: -2...2, using: &random) } : draw(thresholds),
            defaultsLeft: draw([true, false]), missingRules: draw(rules), leftChildren: left, rightChildren: right,
            leafValues: (0..<leaves).map { _ in .random(in: -1...1, using: &random) },
            leafCounts: leafCounts, internalCounts: internalCounts)
    }

    private static func oracle(_ forest: Forest, row: ArraySlice<Double>) -> [Double] {
        var scores = [Double](repeating: 0, count: forest.classCount)
        for (index, tree) in forest.trees.enumerated() {
            var next = tree.nodeCount > 0 ? 0 : -1
            while next >= 0 {
                let split = tree.split(at: next)
                let goesLeft = split.goesLeft(row[row.startIndex + split.column])
                next = goesLeft ? tree.leftChildren[next] : tree.rightChildren[next]
            }
            scores[index % forest.classCount] += tree.leafValues[~next]
        }
        return scores
    }

    @Test(arguments: [
        (trees: 1, leaves: 1...1, chain: false), (3, 1...2, false), (15, 1...40, false), (16, 2...8, true),
        (17, 31...31, false), (50, 1...31, false), (4, 900...900, true), (4, 2000...2000, false),
    ])
    func areThoseOfAWalkThroughEachTree(trees: Int, leaves: ClosedRange<Int>, chain: Bool) {
        var random = SplitMix64(seed: UInt64(trees * 1000 + leaves.upperBound))
        for (classCount, rules) in [
            (1, [Tree.MissingRule.none]), (3, [.nan]), (4, [.zero]), (2, [.none, .zero, .nan]),
        ] {
            let forest = Forest(
                trees: (0..<trees).map { _ in
                    Self.tree(
                        leaves: .random(in: leaves, using: &random), isChain: chain, rules: rules, &random)
                }, classCount: classCount, featureCount: Self.featureCount)
            let rows = (0..<300 * Self.featureCount).map { _ in
                Bool.random(using: &random)
                    ? Self.values.randomElement(using: &random) ?? 0 : .random(in: -2...2, using: &random)
            }
            let scores = forest.rawScores(rows: rows)
            for row in 0..<300 {
                let values = rows[row * Self.featureCount..<(row + 1) * Self.featureCount]
                let expected = Self.oracle(forest, row: values).map(\.bitPattern)
                #expect(scores[row * classCount..<(row + 1) * classCount].map(\.bitPattern) == expected, "\(values)")
                #expect(forest.rawScores(rows: Array(values)).map(\.bitPattern) == expected, "alone as in a batch")
            }
        }
    }

    /// v(S) by its definition.
    private static func value(_ tree: Tree, _ row: ArraySlice<Double>, known: Set<Int>) -> Double {
        func count(_ child: Int) -> Double { Double(child >= 0 ? tree.internalCounts[child] : tree.leafCounts[~child]) }
        func walk(_ child: Int) -> Double {
            guard child >= 0 else { return tree.leafValues[~child] }
            let (split, left, right) = (tree.split(at: child), tree.leftChildren[child], tree.rightChildren[child])
            if known.contains(split.column) {
                return walk(split.goesLeft(row[row.startIndex + split.column]) ? left : right)
            }
            return (walk(left) * count(left) + walk(right) * count(right)) / count(child)
        }
        return walk(tree.nodeCount > 0 ? 0 : -1)
    }

    @Test(arguments: [(trees: 6, leaves: 1...40, chain: false), (9, 31...31, false), (3, 30...30, true)])
    func withoutColumnsAreThoseOfThePathDependentValueFunction(trees: Int, leaves: ClosedRange<Int>, chain: Bool) throws
    {
        var random = SplitMix64(seed: UInt64(trees))
        let forest = Forest(
            trees: (0..<trees).map { _ in
                Self.tree(
                    leaves: .random(in: leaves, using: &random), isChain: chain, rules: [.none, .zero, .nan], &random)
            }, classCount: 3, featureCount: Self.featureCount)
        let rows = (0..<40 * Self.featureCount).map { _ in
            Bool.random(using: &random)
                ? Self.values.randomElement(using: &random) ?? 0 : .random(in: -2...2, using: &random)
        }
        for coalition in 0..<1 << Self.featureCount {
            let known = Set((0..<Self.featureCount).filter { coalition >> $0 & 1 == 1 })
            let conditioned = try forest.conditioned { known.contains($0) }
            #expect(conditioned.trees.allSatisfy { $0.splitFeatures.allSatisfy(known.contains) })
            let scores = conditioned.rawScores(rows: rows)
            for row in 0..<40 {
                let values = rows[row * Self.featureCount..<(row + 1) * Self.featureCount]
                var expected = [0.0, 0, 0]
                for (index, tree) in forest.trees.enumerated() {
                    expected[index % 3] += Self.value(tree, values, known: known)
                }
                for (ours, value) in zip(scores[(row * 3)...], expected) { #expect(abs(ours - value) < 1e-12) }
            }
        }
        #expect(try forest.conditioned { _ in true }.rawScores(rows: rows) == forest.rawScores(rows: rows))
        #expect(try forest.conditioned { _ in false }.trees.allSatisfy { $0.nodeCount == 0 })
    }

    @Test(arguments: [(50, false), (800, true)])
    func aForestThatWouldBeTooLargeIsRefused(levels: Int, isTooLarge: Bool) throws {
        // An unknown node over a known one and the next level, which is behind another known node: every level adds a
        // summand, which all levels above repeat.
        var (left, right, leaf): ([Int], [Int], Int) = ([], [], 0)
        for level in 0..<levels {
            let node = 3 * level
            left += [node + 1, ~leaf, ~(leaf + 2)]
            right += [node + 2, ~(leaf + 1), level == levels - 1 ? ~(leaf + 3) : node + 3]
            leaf += 3
        }
        let nodes = 3 * levels
        let tree = Tree(
            splitFeatures: (0..<nodes).map { $0 % 3 == 0 ? 1 : 0 }, thresholds: (0..<nodes).map(Double.init),
            defaultsLeft: Array(repeating: false, count: nodes), missingRules: Array(repeating: .nan, count: nodes),
            leftChildren: left, rightChildren: right, leafValues: (0...nodes).map(Double.init),
            leafCounts: Array(repeating: 1, count: nodes + 1), internalCounts: Array(repeating: 2, count: nodes))
        let forest = Forest(trees: [tree], classCount: 1, featureCount: 2)
        do throws(ForestError) {
            let trees = try forest.conditioned { $0 == 0 }.trees
            #expect(!isTooLarge && trees.count >= levels)
        } catch {
            #expect(isTooLarge && error.code == .tooLarge)
        }
    }

    @Test func noRowsHaveNoScores() {
        let forest = Forest(trees: [], classCount: 2, featureCount: 3)
        #expect(forest.rawScores(rows: []) == [])
        #expect(forest.rawScores(rows: [1, 2, 3]) == [0, 0])
    }
}

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
        let thresholds = values.filter { !$0.isNaN && $0 > -.infinity }
        func draw<Value>(_ choices: [Value]) -> [Value] {
            (0..<nodes).map { _ in choices.randomElement(using: &random) ?? choices[0] }
        }
        return Tree(
            splitFeatures: draw(Array(0..<featureCount)),
            thresholds: leaves > 200 ? (0..<nodes).map { _ in .random(in: -2...2, using: &random) } : draw(thresholds),
            defaultsLeft: draw([true, false]), missingRules: draw(rules), leftChildren: left, rightChildren: right,
            leafValues: (0..<leaves).map { _ in .random(in: -1...1, using: &random) },
            leafCounts: Array(repeating: 1, count: leaves), internalCounts: Array(repeating: 2, count: nodes))
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

    @Test func noRowsHaveNoScores() {
        let forest = Forest(trees: [], classCount: 2, featureCount: 3)
        #expect(forest.rawScores(rows: []) == [])
        #expect(forest.rawScores(rows: [1, 2, 3]) == [0, 0])
    }
}

import Shapley

@testable import Forest

/// A forest that no training would give: deep trees that split on the same columns again, in all ways of treating what
/// is missing, at thresholds that rows hit, on paths that no row can take.
struct RandomForest {
    let forest: Forest
    let players: Players
    private var random: Random

    /// - Parameters:
    ///   - columnsOf: for each player, its number of columns.
    ///   - leaves: leaves of the trees, in turn; a tree of one leaf does not split.
    ///   - grid: number of different thresholds of a column, and of values.
    ///   - scale: the size of leaf values.
    init(
        seed: UInt64, columnsOf: [Int], classCount: Int, leaves: [Int], grid: Int = 8, scale: Double = 1
    ) throws {
        var random = Random(state: seed, grid: grid)
        let columns = columnsOf.enumerated().flatMap { player, count in [Int](repeating: player, count: count) }
        let trees = leaves.map { count in
            Tree.random(&random, columnCount: columns.count, leafCount: count, scale: scale)
        }
        forest = Forest(trees: trees, classCount: classCount, featureCount: columns.count)
        players = try Players(ofColumn: columns, count: columnsOf.count)
        self.random = random
    }

    /// Rows of values that are often a threshold, zero, missing or infinite.
    func rows(_ count: Int) -> [Double] {
        var random = random
        return (0..<count * forest.featureCount).map { _ in
            switch random.integer(below: 20) {
            case 0, 1: .nan
            case 2: 0
            case 3: 1e-36
            case 4: random.integer(below: 2) == 0 ? .infinity : -.infinity
            case 5...12: random.threshold()
            default: random.uniform() * 2 - 1
            }
        }
    }
}

struct Random {
    var state: UInt64
    let grid: Int

    mutating func uniform() -> Double {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Double(state >> 11) / Double(1 << 53)
    }

    mutating func integer(below bound: Int) -> Int { Int(uniform() * Double(bound)) }

    mutating func threshold() -> Double { (Double(integer(below: grid)) + 0.5) / Double(grid) * 2 - 1 }
}

extension Tree {
    /// A tree grown by splitting some leaf again and again, the latest more often.
    static func random(_ random: inout Random, columnCount: Int, leafCount: Int, scale: Double) -> Tree {
        var (left, right): ([Int], [Int]) = ([], [])
        var (features, thresholds): ([Int], [Double]) = ([], [])
        var (defaults, rules): ([Bool], [MissingRule]) = ([], [])
        // The child that each leaf is: a node and a side.
        var places: [(node: Int, isLeft: Bool)] = []
        for node in 0..<leafCount - 1 {
            var leaf = -1
            if node > 0 {
                leaf = max(random.integer(below: places.count), random.integer(below: places.count))
                let place = places[leaf]
                if place.isLeft { left[place.node] = node } else { right[place.node] = node }
            }
            features.append(random.integer(below: columnCount))
            thresholds.append(random.integer(below: 30) == 0 ? .infinity : random.threshold())
            defaults.append(random.integer(below: 2) == 0)
            rules.append([.none, .zero, .nan][random.integer(below: 3)])
            left.append(leaf < 0 ? ~0 : ~leaf)
            right.append(~(node + 1))
            if leaf < 0 { places.append((node, true)) } else { places[leaf] = (node, true) }
            places.append((node, false))
        }
        let counts = (0..<leafCount).map { _ in 1 + random.integer(below: 40) }
        var internals = [Int](repeating: 0, count: leafCount - 1)
        for node in internals.indices.reversed() {
            for child in [left[node], right[node]] { internals[node] += child >= 0 ? internals[child] : counts[~child] }
        }
        return Tree(
            splitFeatures: features, thresholds: thresholds, defaultsLeft: defaults, missingRules: rules,
            leftChildren: left, rightChildren: right,
            leafValues: (0..<leafCount).map { _ in (random.uniform() - 0.5) * scale }, leafCounts: counts,
            internalCounts: internals)
    }
}

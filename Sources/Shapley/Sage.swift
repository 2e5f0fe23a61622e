public import Forest
import Foundation

/// Loss-Shapley (SAGE, Covert et al. 2020, with the path-dependent value function): how much of the log-loss reduction
/// each model brings.
///
/// For every row the game is `v(S) = ln p_label(S)`, p being the softmax of the raw scores when only S is known,
/// clipped to [1e-7, 1 - 1e-7]. Up to ``exactPlayers`` players all coalitions are played. Above, each row plays eight
/// random orders of the players and their reverses (antithetic), drawn by a generator seeded with the row's number
/// alone, so that results repeat. Sampled values still sum exactly to v(all) - v(none), are unbiased, and err
/// independently from row to row: the standard error of their mean over rows contains the sampling error and is the
/// bound to use.
public struct Sage: Sendable {
    /// Most players for which all coalitions are played.
    public static let exactPlayers = 12

    private enum Game {
        case exact(PathDependentValue)
        case sampled(LeafPaths)
    }

    private static let pairsPerRow = 8
    private static let clip = 1e-7

    private let game: Game
    private let classCount: Int
    private let columnCount: Int
    private let playerCount: Int

    /// Prepares a forest.
    ///
    /// - Throws: ``ShapleyError`` with code `invalidPlayers` when the players' columns are not the forest's.
    public init(forest: Forest, players: Players) throws(ShapleyError) {
        try self.init(forest: forest, players: players, exactPlayers: Self.exactPlayers)
    }

    init(forest: Forest, players: Players, exactPlayers: Int) throws(ShapleyError) {
        game =
            players.count <= exactPlayers
            ? .exact(try PathDependentValue(forest: forest, players: players))
            : .sampled(try LeafPaths(forest, players: players))
        classCount = forest.classCount
        columnCount = forest.featureCount
        playerCount = players.count
    }

    /// The Shapley values of each row's log-loss reduction.
    ///
    /// - Parameters:
    ///   - rows: N x D column values.
    ///   - labels: N class indices.
    ///   - firstRow: the number of the first row, which seeds the sampling of rows.
    /// - Returns: N x M values in nats; a player's utility is their mean over rows.
    /// - Throws: ``ShapleyError`` with code `invalidShape` when rows and labels do not match.
    public func values(rows: [Double], labels: [Int], firstRow: Int = 0) throws(ShapleyError) -> [Double] {
        guard rows.count == labels.count * columnCount, labels.allSatisfy({ (0..<classCount).contains($0) }) else {
            throw ShapleyError(
                .invalidShape, "give one label below \(classCount) for every row of \(columnCount) columns")
        }
        var result: [Double] = []
        result.reserveCapacity(labels.count * playerCount)
        switch game {
        case .exact(let value):
            let weights = ShapleyWeights(playerCount: playerCount).values
            let gains = UnsafeMutableBufferPointer<Double>.allocate(capacity: 1 << playerCount)
            defer { gains.deallocate() }
            try value.forEachRow(of: rows) { row, scores in
                for coalition in gains.indices {
                    gains[coalition] = logLikelihood(scores, first: coalition, stride: gains.count, label: labels[row])
                }
                var values = [Double](repeating: 0, count: playerCount)
                addShapleyValues(UnsafeBufferPointer(gains), weights: weights, to: &values)
                result += values
            }
        case .sampled(let paths):
            try paths.forEachRow(of: rows) { row, masks in
                result += sampledValues(paths, masks: masks, label: labels[row], seed: firstRow + row)
            }
        }
        return result
    }

    /// ln of the clipped softmax probability of the label; scores of class k are at `first + k * stride`.
    private func logLikelihood(
        _ scores: UnsafeMutableBufferPointer<Double>, first: Int, stride: Int, label: Int
    ) -> Double {
        var highest = -Double.infinity
        var position = first
        for _ in 0..<classCount {
            if scores[position] > highest { highest = scores[position] }
            position += stride
        }
        var sum = 0.0
        position = first
        for _ in 0..<classCount {
            sum += exp(scores[position] - highest)
            position += stride
        }
        let probability = exp(scores[first + label * stride] - highest) / sum
        return log(min(max(probability, Self.clip), 1 - Self.clip))
    }

    private func sampledValues(_ paths: LeafPaths, masks: UnsafePointer<Int>, label: Int, seed: Int) -> [Double] {
        var generator = SplitMix64(seed: seed)
        var values = [Double](repeating: 0, count: playerCount)
        for _ in 0..<Self.pairsPerRow {
            let order = generator.order(of: playerCount)
            for order in [order, order.reversed()] {
                let gains = prefixGains(paths, masks: masks, order: order, label: label)
                for (position, player) in order.enumerated() {
                    values[player] += gains[position + 1] - gains[position]
                }
            }
        }
        return values.map { $0 / Double(2 * Self.pairsPerRow) }
    }

    /// v of the first 0, 1, ... M players of an order.
    ///
    /// As players arrive, a leaf's term loses their cover ratios one by one, and becomes nothing once one of them
    /// fails. So every leaf changes the score at as many places as it has players, and one running sum over the order
    /// gives all M + 1 values.
    private func prefixGains(_ paths: LeafPaths, masks: UnsafePointer<Int>, order: [Int], label: Int) -> [Double] {
        var arrival = [Int](repeating: 0, count: playerCount)
        for (position, player) in order.enumerated() { arrival[player] = position }
        let scores = UnsafeMutableBufferPointer<Double>.allocate(capacity: (playerCount + 1) * classCount)
        scores.initialize(repeating: 0)
        defer { scores.deallocate() }
        var path: [(arrival: Int, ratio: Double, holds: Bool)] = []
        for (index, leaf) in paths.leaves.enumerated() {
            path.removeAll(keepingCapacity: true)
            for position in 0..<leaf.playerCount {
                let player = paths.pathPlayers[leaf.firstPlayer + position]
                path.append(
                    (arrival[player], paths.coverRatios[leaf.firstPlayer + position], masks[index] >> position & 1 == 1)
                )
            }
            // Nobody has arrived: all ratios count. From the last arrival backwards, the term without the ratios of
            // those arrived.
            path.sort { $0.arrival > $1.arrival }
            let failure = path.last { !$0.holds }?.arrival ?? playerCount
            var term = leaf.value
            for step in path {
                let before = step.arrival <= failure ? term * step.ratio : 0
                let after = step.arrival < failure ? term : 0
                scores[(step.arrival + 1) * classCount + leaf.classIndex] += after - before
                term *= step.ratio
            }
            scores[leaf.classIndex] += term
        }
        for position in classCount..<scores.count { scores[position] += scores[position - classCount] }
        return (0...playerCount).map { logLikelihood(scores, first: $0 * classCount, stride: 1, label: label) }
    }
}

/// Steele, Lea and Flood's SplitMix64, with a shuffle of its own: the same orders on every platform and with every
/// compiler.
private struct SplitMix64 {
    private var state: UInt64

    init(seed: Int) { state = UInt64(bitPattern: Int64(seed)) }

    /// A random order of `0..<count` (Fisher and Yates; the remainder's bias is below 2^-50).
    mutating func order(of count: Int) -> [Int] {
        var order = Array(0..<count)
        for last in stride(from: count - 1, to: 0, by: -1) { order.swapAt(last, Int(next() % UInt64(last + 1))) }
        return order
    }

    private mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

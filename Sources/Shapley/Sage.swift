import CForestKernels
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
        case sampled(LeafMasks)
    }

    private static let orders = Int(CFK_ORDERS)
    private static let clip = 1e-7
    private static let lowest = log(clip)
    private static let highest = log(1 - clip)

    private let game: Game
    private let instructions: Instructions
    private let classCount: Int
    private let columnCount: Int
    private let playerCount: Int

    /// Prepares a forest.
    ///
    /// - Throws: ``ShapleyError`` with code `invalidPlayers` when the players' columns are not the forest's.
    public init(forest: Forest, players: Players) throws(ShapleyError) {
        try self.init(forest: forest, players: players, exactPlayers: Self.exactPlayers)
    }

    init(
        forest: Forest, players: Players, exactPlayers: Int = Self.exactPlayers, instructions: Instructions = .widest
    ) throws(ShapleyError) {
        game =
            players.count <= exactPlayers
            ? .exact(try PathDependentValue(forest: forest, players: players, instructions: instructions))
            : .sampled(LeafMasks(paths: try LeafPaths(forest, players: players), instructions: instructions))
        self.instructions = instructions
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
        var result = [Double](repeating: 0, count: labels.count * playerCount)
        switch game {
        case .exact(let value): try play(value, rows: rows, labels: labels, result: &result)
        case .sampled(let masks): try sample(masks, rows: rows, labels: labels, firstRow: firstRow, result: &result)
        }
        return result
    }

    private func fillGains(
        _ gains: UnsafeMutablePointer<Double>, scores: UnsafePointer<Double>, count: Int, labels: [Int64]
    ) {
        cfk_fill_log_likelihoods(
            instructions.code, scores, classCount, count, count, labels, Self.lowest, Self.highest, gains)
    }

    private func play(
        _ value: PathDependentValue, rows: [Double], labels: [Int], result: inout [Double]
    ) throws(ShapleyError) {
        let (lanes, count) = (PathDependentValue.lanes, PathDependentValue.lanes << playerCount)
        let weights = ShapleyWeights(playerCount: playerCount).values
        let gains = UnsafeMutablePointer<Double>.allocate(capacity: count)
        defer { gains.deallocate() }
        var values = [Double](repeating: 0, count: playerCount * lanes)
        try value.forEachEight(of: rows) { own, scores in
            // Lanes without a row play for class 0 and are not looked at.
            let ownLabels = (0..<lanes).map { $0 < own.count ? Int64(labels[own.lowerBound + $0]) : 0 }
            fillGains(gains, scores: scores, count: count, labels: ownLabels)
            cfk_fill_shapley_values(instructions.code, playerCount, weights, gains, &values)
            for (lane, row) in own.enumerated() {
                for player in 0..<playerCount { result[row * playerCount + player] = values[player * lanes + lane] }
            }
        }
    }

    private func sample(
        _ masks: LeafMasks, rows: [Double], labels: [Int], firstRow: Int, result: inout [Double]
    ) throws(ShapleyError) {
        let (orders, paths) = (Self.orders, masks.paths)
        let count = (playerCount + 1) * orders
        let scores = UnsafeMutablePointer<Double>.allocate(capacity: classCount * count)
        let gains = UnsafeMutablePointer<Double>.allocate(capacity: count)
        scores.initialize(repeating: 0, count: classCount * count)
        gains.initialize(repeating: 0, count: count)
        defer {
            scores.deallocate()
            gains.deallocate()
        }
        try masks.forEachBlock(of: rows) { block, kernelPaths, kernelMasks in
            for (position, row) in block.enumerated() {
                let arrivals = arrivals(seed: firstRow + row)
                for index in 0..<classCount {
                    let own = scores + index * count
                    let (leaves, next) = (paths.classStarts[index], paths.classStarts[index + 1])
                    // Nobody has arrived; then what each arrival changes.
                    own.update(repeating: paths.base[index], count: orders)
                    (own + orders).update(repeating: 0, count: count - orders)
                    cfk_add_arrivals(
                        instructions.code, kernelPaths, leaves, next - leaves, kernelMasks, position, arrivals,
                        own + orders)
                    for score in orders..<count { own[score] += own[score - orders] }
                }
                let label = [Int64](repeating: Int64(labels[row]), count: Int(CFK_LANES))
                fillGains(gains, scores: scores, count: count, labels: label)
                for player in 0..<playerCount {
                    var sum = 0.0
                    for order in 0..<orders {
                        let place = Int(arrivals[player * orders + order]) * orders + order
                        sum += gains[place + orders] - gains[place]
                    }
                    result[row * playerCount + player] = sum / Double(orders)
                }
            }
        }
    }

    /// For each player, how many arrive before in each order. Every second order is the reverse of the one before.
    func arrivals(seed: Int) -> [Int64] {
        var generator = SplitMix64(seed: seed)
        var arrivals = [Int64](repeating: 0, count: playerCount * Self.orders)
        for first in stride(from: 0, to: Self.orders, by: 2) {
            for (position, player) in generator.order(of: playerCount).enumerated() {
                arrivals[player * Self.orders + first] = Int64(position)
                arrivals[player * Self.orders + first + 1] = Int64(playerCount - 1 - position)
            }
        }
        return arrivals
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

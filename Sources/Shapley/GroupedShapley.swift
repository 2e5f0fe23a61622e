public import Forest

/// Exact Shapley values of a forest's raw scores in the game whose players are models, not columns.
///
/// A leaf's contribution depends on a row only through the leaf's mask, so it is tabulated for every mask of a leaf
/// with up to six players and computed on the spot for longer paths.
///
/// This type is the seam for faster kernels: whatever replaces ``values(rows:)`` (vectorised masks, fixed-point sums)
/// takes the same blocks of rows and returns the same N x K x M values; callers stream blocks and never see how they
/// are computed.
public struct GroupedShapley: Sendable {
    /// v of the empty coalition for each class: the forest's mean raw score by cover. K values.
    public let base: [Double]
    /// Number of players, M.
    public var playerCount: Int { paths.players.count }
    /// Number of classes, K.
    public var classCount: Int { paths.classCount }

    private static let longestTabulated = 6

    private let paths: LeafPaths
    /// Contributions of leaf i's players for mask m at `tableStarts[i] + m * g`.
    private let table: [Double]
    /// Start of each leaf's table; negative for a leaf that has none.
    private let tableStarts: [Int]

    /// Prepares a forest for explanation.
    ///
    /// - Throws: ``ShapleyError`` with code `invalidPlayers` when the players' columns are not the forest's.
    public init(forest: Forest, players: Players) throws(ShapleyError) {
        paths = try LeafPaths(forest, players: players)
        var base = [Double](repeating: 0, count: forest.classCount)
        var table: [Double] = []
        tableStarts = paths.leaves.map { [paths] leaf in
            let ratios = paths.coverRatios[leaf.firstPlayer..<leaf.firstPlayer + leaf.playerCount]
            base[leaf.classIndex] += ratios.reduce(leaf.value, *)
            guard leaf.playerCount <= Self.longestTabulated else { return -1 }
            let start = table.count
            for mask in 0..<(1 << leaf.playerCount) {
                table += Self.contributions(paths, leaf: leaf, mask: mask)
            }
            return start
        }
        self.base = base
        self.table = table
    }

    /// The Shapley values of a block of rows.
    ///
    /// - Parameter rows: N x D column values; NaN is missing and follows each split's own rule.
    /// - Returns: N x K x M values: row by row, class by class, player by player. With ``base`` they sum to the raw
    ///   scores.
    /// - Throws: ``ShapleyError`` with code `invalidShape` when `rows` is not whole rows.
    public func values(rows: [Double]) throws(ShapleyError) -> [Double] {
        var values = [Double](repeating: 0, count: try paths.rowCount(of: rows) * classCount * playerCount)
        let rowSize = classCount * playerCount
        try paths.forEachRow(of: rows) { row, masks in
            values.withUnsafeMutableBufferPointer { values in
                add(masks, to: values.extracting(row * rowSize..<(row + 1) * rowSize))
            }
        }
        return values
    }

    private func add(_ masks: UnsafePointer<Int>, to values: UnsafeMutableBufferPointer<Double>) {
        table.withUnsafeBufferPointer { table in
            for (index, leaf) in paths.leaves.enumerated() {
                let start = tableStarts[index] + masks[index] * leaf.playerCount
                let direct = tableStarts[index] < 0 ? Self.contributions(paths, leaf: leaf, mask: masks[index]) : []
                let first = leaf.classIndex * playerCount
                for position in 0..<leaf.playerCount {
                    let player = paths.pathPlayers[leaf.firstPlayer + position]
                    values[first + player] += tableStarts[index] < 0 ? direct[position] : table[start + position]
                }
            }
        }
    }

    /// What each player of one leaf is worth, given who of them passes.
    ///
    /// Player i gets `w (o_i - z_i) * sum over r of c_r * r! (g-1-r)! / g!`, where c_r are the coefficients of the
    /// polynomial `product over j != i of (z_j + o_j y)`: the sums over coalitions of r others.
    private static func contributions(_ paths: LeafPaths, leaf: LeafPaths.Leaf, mask: Int) -> [Double] {
        let count = leaf.playerCount
        let coverRatios = Array(paths.coverRatios[leaf.firstPlayer..<leaf.firstPlayer + count])
        let weights = ShapleyWeights(playerCount: count).values
        return (0..<count).map { player in
            var coefficients = [1.0]
            for other in 0..<count where other != player {
                let holds = mask >> other & 1 == 1
                coefficients.append(0)
                for power in stride(from: coefficients.count - 1, through: 0, by: -1) {
                    let below = holds && power > 0 ? coefficients[power - 1] : 0
                    coefficients[power] = coefficients[power] * coverRatios[other] + below
                }
            }
            let share = zip(coefficients, weights).reduce(0) { $0 + $1.0 * $1.1 }
            return leaf.value * ((mask >> player & 1 == 1 ? 1 : 0) - coverRatios[player]) * share
        }
    }
}

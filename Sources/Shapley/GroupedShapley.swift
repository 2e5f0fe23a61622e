public import Forest

/// Exact Shapley values of a forest's raw scores in the game whose players are models, not columns.
///
/// The same bits come out with every instruction set and however rows are parted into blocks.
public struct GroupedShapley: Sendable {
    /// v of the empty coalition for each class: the forest's mean raw score by cover. K values.
    public var base: [Double] { leaves.paths.base }
    /// Number of players, M.
    public var playerCount: Int { leaves.paths.players.count }
    /// Number of classes, K.
    public var classCount: Int { leaves.paths.classCount }

    private let leaves: LeafContributions

    /// Prepares a forest for explanation.
    ///
    /// - Throws: ``ShapleyError`` with code `invalidPlayers` when the players' columns are not the forest's.
    public init(forest: Forest, players: Players) throws(ShapleyError) {
        try self.init(forest: forest, players: players, instructions: .widest)
    }

    package init(
        forest: Forest, players: Players, instructions: Instructions, mostTabulated: Int? = nil
    ) throws(ShapleyError) {
        leaves = try LeafContributions(forest, players, instructions, mostTabulated: mostTabulated)
    }

    /// The Shapley values of a block of rows.
    ///
    /// - Parameter rows: N x D column values; NaN is missing and follows each split's own rule. A forest's tables are
    ///   made anew in every call, so blocks of some thousand rows are best.
    /// - Returns: N x K x M values: row by row, class by class, player by player. With ``base`` they sum to the raw
    ///   scores.
    /// - Throws: ``ShapleyError`` with code `invalidShape` when `rows` is not whole rows.
    public func values(rows: [Double]) throws(ShapleyError) -> [Double] {
        let count = try leaves.paths.rowCount(of: rows) * classCount * playerCount
        let (playerCount, rowSize) = (playerCount, classCount * playerCount)
        return [Double](unsafeUninitializedCapacity: count) { values, initialized in
            rows.withUnsafeBufferPointer { rows in
                leaves.forEachSum(of: rows, scale: 1) { index, own, sums in
                    var (row, position) = (0, own.lowerBound * rowSize + index * playerCount)
                    while row < own.count {
                        for player in 0..<playerCount {
                            values[position + player] = sums[player * LeafContributions.blockRows + row]
                        }
                        row += 1
                        position += rowSize
                    }
                }
            }
            initialized = count
        }
    }
}

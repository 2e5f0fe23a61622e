import CForestKernels
public import Forest

/// The mean magnitude of every model's exact Shapley values over many rows, `shapley_abs`, in fixed point.
///
/// A row's values are sums of integers, so a mean has the same bits in whatever order and by however many threads rows
/// are added, and with every instruction set. Rounding each leaf's contribution errs by half a ``resolution`` at most,
/// about 1e-7 in sum.
///
/// It is for explaining very many rows: a million in seconds. An evaluation takes the magnitudes of ``GroupedShapley``
/// instead. Their rank decides under the published rule, so they have to agree with other implementations to 1e-9, and
/// on the rows of an evaluation the fits take a thousand times as long as either.
public struct MeanMagnitudes: Sendable {
    /// Sums over rows, to be added to those of other rows.
    public struct Sums: Hashable, Sendable {
        /// Number of rows.
        public private(set) var rowCount = 0
        fileprivate(set) var units: [Int64]

        /// Adds the sums over other rows.
        public static func += (sums: inout Sums, others: Sums) {
            sums.rowCount += others.rowCount
            for index in sums.units.indices { sums.units[index] += others.units[index] }
        }

        fileprivate mutating func add(_ magnitude: Int64, at index: Int) { units[index] += magnitude }
        fileprivate mutating func addRows(_ count: Int) { rowCount += count }
    }

    /// What one unit of the sums is worth: a power of two.
    public let resolution: Double

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
        resolution = Self.resolution(of: forest)
    }

    /// No player is worth more in a tree than its leaves differ, so every sum stays below 2^31 units. A leaf's
    /// contribution is at most its value, and is rounded exactly below 2^51 units.
    private static func resolution(of forest: Forest) -> Double {
        var spreads = [Double](repeating: 0, count: forest.classCount)
        var (largest, leafCount) = (0.0, 0)
        for (index, tree) in forest.trees.enumerated() {
            guard let low = tree.leafValues.min(), let high = tree.leafValues.max() else { continue }
            spreads[index % forest.classCount] += high - low
            largest = max(largest, -low, high)
            leafCount += tree.leafCount
        }
        // Half a unit of rounding for every leaf is left.
        let room = Double(Int32.max) - Double(leafCount)
        var resolution = 0x1p-50
        while (spreads.max() ?? 0) / resolution > room || largest / resolution > 0x1p50 { resolution *= 2 }
        return resolution
    }

    /// The sums over no rows.
    public var zero: Sums {
        Sums(units: [Int64](repeating: 0, count: leaves.paths.classCount * leaves.paths.players.count))
    }

    /// The sums over a block of rows.
    ///
    /// - Parameter rows: N x D column values; NaN is missing and follows each split's own rule. Blocks of some thousand
    ///   rows are best.
    /// - Throws: ``ShapleyError`` with code `invalidShape` when `rows` is not whole rows.
    public func sums(rows: [Double]) throws(ShapleyError) -> Sums {
        var result = zero
        result.addRows(try leaves.paths.rowCount(of: rows))
        let playerCount = leaves.paths.players.count
        rows.withUnsafeBufferPointer { rows in
            leaves.forEachSum(of: rows, scale: 1 / resolution) { index, own, sums in
                for player in 0..<playerCount {
                    result.add(
                        cfk_sum_of_magnitudes(
                            leaves.instructions.code, sums + player * LeafContributions.blockRows,
                            own.count),
                        at: index * playerCount + player)
                }
            }
        }
        return result
    }

    /// The mean magnitudes: K x M values, class by class; their sum over classes is `shapley_abs`.
    public func means(_ sums: Sums) -> [Double] {
        sums.units.map { Double($0) / Double(sums.rowCount) * resolution }
    }

    /// Each row's values in units: N x K x M.
    func units(rows: [Double]) throws(ShapleyError) -> [Int32] {
        let playerCount = leaves.paths.players.count
        let rowSize = leaves.paths.classCount * playerCount
        var units = [Int32](repeating: 0, count: try leaves.paths.rowCount(of: rows) * rowSize)
        rows.withUnsafeBufferPointer { rows in
            leaves.forEachSum(of: rows, scale: 1 / resolution) { index, own, sums in
                for (position, row) in own.enumerated() {
                    for player in 0..<playerCount {
                        units[row * rowSize + index * playerCount + player] =
                            sums[
                                player * LeafContributions.blockRows + position]
                    }
                }
            }
        }
        return units
    }
}

import CForestKernels
import Forest

/// The path-dependent value function of a forest: the raw scores when only a coalition's columns are known.
///
/// A split on a known column is followed; a split on an unknown one is averaged over both sides by cover.
struct PathDependentValue: Sendable {
    /// Most players: 2^M x K values are held for eight rows.
    static let maximumPlayers = 16

    /// Rows whose values are computed together.
    static let lanes = Int(CFK_LANES)

    var playerCount: Int { masks.paths.players.count }
    var classCount: Int { masks.paths.classCount }
    var instructions: Instructions { masks.instructions }

    private let masks: LeafMasks
    /// For each leaf, the coalition of each subset of its players: leaf i's start at `coalitionStarts[i]`.
    private let coalitions: [UInt16]
    private let coalitionStarts: [UInt32]

    /// - Throws: ``ShapleyError`` with code `invalidPlayers` when the players' columns are not the forest's,
    ///   `tooManyPlayers` above ``maximumPlayers``.
    init(forest: Forest, players: Players, instructions: Instructions = .widest) throws(ShapleyError) {
        guard players.count <= Self.maximumPlayers else {
            throw ShapleyError(
                .tooManyPlayers,
                "all coalitions of \(players.count) players are too many; the most is \(Self.maximumPlayers)")
        }
        let paths = try LeafPaths(forest, players: players)
        masks = LeafMasks(paths: paths, instructions: instructions)
        var coalitions: [UInt16] = []
        coalitionStarts = paths.leaves.map { leaf in
            let start = coalitions.count
            coalitions.append(0)
            for position in 0..<Int(leaf.player_count) {
                let player = paths.pathPlayers[Int(leaf.first_player) + position]
                coalitions += coalitions[start...].map { $0 | 1 << player }
            }
            return UInt32(start)
        }
        self.coalitions = coalitions
    }

    /// Calls `body` with the values of all coalitions for eight rows at a time.
    ///
    /// - Parameters:
    ///   - rows: N x D column values; NaN is missing and follows each split's own rule.
    ///   - body: gets the numbers of up to eight rows and K x 2^M x 8 values, class by class, coalition by coalition,
    ///     row by row; bit i of a coalition's index is player i. The buffer is valid during the call only.
    /// - Throws: ``ShapleyError`` with code `invalidShape` when `rows` is not whole rows.
    func forEachEight(
        of rows: [Double], _ body: (_ rows: Range<Int>, _ values: UnsafeMutablePointer<Double>) -> Void
    ) throws(ShapleyError) {
        let valuesEach = Self.lanes << playerCount
        let values = UnsafeMutablePointer<Double>.allocate(capacity: classCount * valuesEach)
        let scratch = UnsafeMutablePointer<Double>.allocate(capacity: Self.lanes << masks.paths.longest)
        values.initialize(repeating: 0, count: classCount * valuesEach)
        defer {
            values.deallocate()
            scratch.deallocate()
        }
        try masks.forEachBlock(of: rows) { block, kernelPaths, kernelMasks in
            for first in stride(from: block.lowerBound, to: block.upperBound, by: Self.lanes) {
                values.update(repeating: 0, count: classCount * valuesEach)
                for index in 0..<classCount {
                    let (leaves, next) = (masks.paths.classStarts[index], masks.paths.classStarts[index + 1])
                    let own = values + index * valuesEach
                    cfk_add_coefficients(
                        instructions.code, kernelPaths, leaves, next - leaves, kernelMasks, first - block.lowerBound,
                        coalitions, coalitionStarts, scratch, own)
                    cfk_sum_over_subsets(instructions.code, playerCount, own)
                }
                body(first..<min(first + Self.lanes, block.upperBound), values)
            }
        }
    }
}

public import Forest

/// The path-dependent value function of a forest: the raw scores when only a coalition's columns are known.
///
/// A split on a known column is followed; a split on an unknown one is averaged over both sides by cover.
public struct PathDependentValue: Sendable {
    /// Most players: 2^M x K values are held for a row.
    public static let maximumPlayers = 16

    /// Number of players, M.
    public var playerCount: Int { paths.players.count }
    /// Number of classes, K.
    public var classCount: Int { paths.classCount }

    private let paths: LeafPaths
    /// For each leaf, the coalition of each subset of its players: leaf i's start at `subsetStarts[i]`.
    private let subsets: [Int]
    private let subsetStarts: [Int]

    /// Prepares a forest.
    ///
    /// - Throws: ``ShapleyError`` with code `invalidPlayers` when the players' columns are not the forest's,
    ///   `tooManyPlayers` above ``maximumPlayers``.
    public init(forest: Forest, players: Players) throws(ShapleyError) {
        guard players.count <= Self.maximumPlayers else {
            throw ShapleyError(
                .tooManyPlayers,
                "all coalitions of \(players.count) players are too many; the most is \(Self.maximumPlayers)")
        }
        paths = try LeafPaths(forest, players: players)
        var subsets: [Int] = []
        subsetStarts = paths.leaves.map { [paths] leaf in
            let start = subsets.count
            subsets.append(0)
            for player in paths.pathPlayers[leaf.firstPlayer..<leaf.firstPlayer + leaf.playerCount] {
                subsets += subsets[start...].map { $0 | 1 << player }
            }
            return start
        }
        self.subsets = subsets
    }

    /// Calls `body` with each row's values of all coalitions.
    ///
    /// Per leaf the product over its players of `z_j + [j in S] (o_j - z_j)` is expanded into one coefficient for each
    /// subset T of them, which counts for every S that contains T; summing over subsets at the end is one zeta
    /// transform a row.
    ///
    /// - Parameters:
    ///   - rows: N x D column values; NaN is missing and follows each split's own rule.
    ///   - body: gets the row's number and K x 2^M values, class by class; bit i of a coalition's index is player i.
    ///     The buffer is valid during the call only.
    /// - Throws: ``ShapleyError`` with code `invalidShape` when `rows` is not whole rows.
    public func forEachRow(
        of rows: [Double], _ body: (_ row: Int, _ values: UnsafeMutableBufferPointer<Double>) -> Void
    ) throws(ShapleyError) {
        let coalitionCount = 1 << playerCount
        let values = UnsafeMutableBufferPointer<Double>.allocate(capacity: classCount * coalitionCount)
        let scratch = UnsafeMutablePointer<Double>.allocate(capacity: 1 << paths.deepest)
        defer {
            values.deallocate()
            scratch.deallocate()
        }
        try paths.forEachRow(of: rows) { row, masks in
            values.update(repeating: 0)
            addCoefficients(masks, to: values, scratch: scratch)
            for start in stride(from: 0, to: values.count, by: coalitionCount) {
                sumOverSubsets(values.extracting(start..<start + coalitionCount))
            }
            body(row, values)
        }
    }

    private func addCoefficients(
        _ masks: UnsafePointer<Int>, to values: UnsafeMutableBufferPointer<Double>,
        scratch: UnsafeMutablePointer<Double>
    ) {
        paths.leaves.withUnsafeBufferPointer { leaves in
            paths.coverRatios.withUnsafeBufferPointer { coverRatios in
                subsets.withUnsafeBufferPointer { subsets in
                    var index = 0
                    while index < leaves.count {
                        let leaf = leaves[index]
                        var size = 1
                        scratch[0] = leaf.value
                        var player = 0
                        while player < leaf.playerCount {
                            let ratio = coverRatios[leaf.firstPlayer + player]
                            let gain = Double(masks[index] >> player & 1) - ratio
                            var subset = 0
                            while subset < size {
                                scratch[size + subset] = scratch[subset] * gain
                                scratch[subset] *= ratio
                                subset += 1
                            }
                            size *= 2
                            player += 1
                        }
                        let first = leaf.classIndex << playerCount
                        let start = subsetStarts[index]
                        var subset = 0
                        while subset < size {
                            values[first | subsets[start + subset]] += scratch[subset]
                            subset += 1
                        }
                        index += 1
                    }
                }
            }
        }
    }

    /// The zeta transform: every entry becomes the sum of the entries of its subsets.
    private func sumOverSubsets(_ values: UnsafeMutableBufferPointer<Double>) {
        for player in 0..<playerCount {
            let bit = 1 << player
            var coalition = 0
            while coalition < values.count {
                if coalition & bit != 0 { values[coalition] += values[coalition ^ bit] }
                coalition += 1
            }
        }
    }
}

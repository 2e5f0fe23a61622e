import CForestKernels
import Forest

/// Adds up what the leaves contribute to the Shapley values of rows.
///
/// A leaf's contributions depend on a row only through the leaf's mask. So they are tabulated for every mask of a leaf
/// with few players, and a row costs one mask and as many look-ups as the leaf has players; what is longer is computed
/// on the spot, by the same operations in the same order. Tables are made anew for every stretch of rows, because for
/// a large forest together they are larger than the caches, and to read them again takes as long as to make them.
struct LeafContributions: Sendable {
    /// Rows that share the tables: many, so that these cost little, but few enough for the caches.
    private static let stretchRows = 128 * blockRows
    /// Most bytes of binned columns in a stretch.
    private static let mostBins = 8 << 20
    /// Numbers in the tables that are used together, which a second-level cache holds.
    private static let tableNumbers = 1 << 17
    /// Players of the longest leaves that are tabulated: 8,192 masks.
    static let mostTabulated = 13
    /// The low bytes of all masks that are tabulated, then their high bytes.
    static let masks =
        (0..<1 << mostTabulated).map { UInt8($0 & 255) } + (0..<1 << mostTabulated).map { UInt8($0 >> 8) }

    let paths: LeafPaths
    let instructions: Instructions
    private let mostTabulated: Int
    private let rules: GaussLegendre
    private let stretchRows: Int

    /// - Parameter mostTabulated: nil for ``mostTabulated``.
    init(
        _ forest: Forest, _ players: Players, _ instructions: Instructions, mostTabulated: Int?
    ) throws(ShapleyError) {
        paths = try LeafPaths(forest, players: players)
        self.instructions = instructions
        self.mostTabulated = mostTabulated ?? Self.mostTabulated
        rules = GaussLegendre(upToPlayers: paths.longest)
        let blocks = Self.mostBins / (max(1, paths.columns.count) * Self.blockRows)
        stretchRows = min(Self.stretchRows, max(1, blocks) * Self.blockRows)
    }

    /// Rows that have their sums together.
    static let blockRows = Int(CFK_ROWS)

    /// Calls `body` with the sums of each block of rows and class.
    ///
    /// - Parameters:
    ///   - rows: N x D column values.
    ///   - scale: units of a sum in one.
    ///   - body: gets the class, the rows, up to ``blockRows``, and their sums, each player's ``blockRows`` after those
    ///     of the one before; valid during the call only.
    func forEachSum<Number: ContributionNumber>(
        of rows: UnsafeBufferPointer<Double>, scale: Double,
        _ body: (_ classIndex: Int, _ rows: Range<Int>, _ sums: UnsafePointer<Number>) -> Void
    ) {
        let rowCount = rows.count / paths.columnCount
        let longest = min(stretchRows, (rowCount + Self.blockRows - 1) / Self.blockRows * Self.blockRows)
        let work = Workspace<Number>(self, rows: longest)
        defer { work.deallocate() }
        paths.withKernelPaths { kernelPaths in
            for first in stride(from: 0, to: rowCount, by: stretchRows) {
                let own = first..<min(first + stretchRows, rowCount)
                let blocks = (own.count + Self.blockRows - 1) / Self.blockRows
                for block in 0..<blocks {
                    let start = first + block * Self.blockRows
                    let end = min(start + Self.blockRows, own.upperBound)
                    paths.columns.fill(
                        work.bins + block * work.binsEach,
                        rows: rows.extracting(start * paths.columnCount..<end * paths.columnCount),
                        width: paths.columnCount)
                }
                for index in 0..<paths.classCount {
                    work.sums.update(repeating: .zero, count: blocks * work.sumsEach)
                    let leaves = paths.classStarts[index]..<paths.classStarts[index + 1]
                    add(leaves, of: kernelPaths, blocks: blocks, scale: scale, work)
                    for block in 0..<blocks {
                        let start = first + block * Self.blockRows
                        let end = min(start + Self.blockRows, own.upperBound)
                        Number.addWideSums(work.wide, to: work.sums + block * work.sumsEach)
                        body(index, start..<end, work.sums + block * work.sumsEach)
                    }
                }
            }
        }
    }

    /// Memory for one stretch of rows.
    private struct Workspace<Number: ContributionNumber> {
        let wide: cfk_wide
        let binsEach: Int
        let sumsEach: Int
        let bins: UnsafeMutablePointer<UInt8>
        let sums: UnsafeMutablePointer<Number>
        let tables: UnsafeMutablePointer<Number>
        let contributions: UnsafeMutablePointer<Double>
        let masks: UnsafeMutablePointer<UInt8>

        init(_ kernel: LeafContributions, rows: Int) {
            let longest = kernel.paths.longest
            binsEach = kernel.paths.columns.count * blockRows
            let wide = Number.wide(playerCount: kernel.paths.players.count, instructions: kernel.instructions)
            self.wide = longest < wide.least_players ? .none(playerCount: wide.player_count) : wide
            sumsEach = (kernel.paths.players.count + self.wide.width) * blockRows
            // Rows that fill up the last block have some bins, or other rows'.
            bins = .allocate(capacity: rows * kernel.paths.columns.count)
            bins.initialize(repeating: 0, count: rows * kernel.paths.columns.count)
            sums = .allocate(capacity: rows / blockRows * sumsEach)
            sums.initialize(repeating: .zero, count: rows / blockRows * sumsEach)
            tables = .allocate(capacity: max(tableNumbers, longest * blockRows))
            contributions = .allocate(
                capacity: max(LeafContributions.mostTabulated << LeafContributions.mostTabulated, longest * blockRows))
            masks = .allocate(capacity: (longest + 7) / 8 * blockRows)
        }

        func deallocate() {
            bins.deallocate()
            sums.deallocate()
            tables.deallocate()
            contributions.deallocate()
            masks.deallocate()
        }
    }

    private func add<Number: ContributionNumber>(
        _ leaves: Range<Int>, of kernelPaths: UnsafePointer<cfk_paths>, blocks: Int, scale: Double,
        _ work: Workspace<Number>
    ) {
        var first = leaves.lowerBound
        while first < leaves.upperBound {
            var (end, used, starts) = (first, 0, [UInt32]())
            while end < leaves.upperBound,
                let size = tableSize(paths.leaves[end], rows: blocks * Self.blockRows, work.wide),
                used + size <= Self.tableNumbers
            {
                fillTable(end, of: kernelPaths, scale: scale, work, to: work.tables + used)
                starts.append(UInt32(used))
                used += size
                end += 1
            }
            for block in 0..<blocks where end > first {
                Number.add(
                    first..<end, of: kernelPaths, tables: work.tables, starts: starts,
                    bins: work.bins + block * work.binsEach, wide: work.wide,
                    to: work.sums + block * work.sumsEach, instructions: instructions)
            }
            if end == first {
                for block in 0..<blocks { add(first, of: kernelPaths, block: block, scale: scale, work) }
                end += 1
            }
            first = end
        }
    }

    /// Numbers in a leaf's table; nil when there are too many, or more masks than rows.
    private func tableSize(_ leaf: cfk_leaf, rows: Int, _ wide: cfk_wide) -> Int? {
        let count = Int(leaf.player_count)
        guard count <= mostTabulated, 1 << count <= rows else { return nil }
        let size = max(16, 1 << count) * (count >= wide.least_players ? wide.width : count)
        return size <= Self.tableNumbers ? size : nil
    }

    private func players(of leaf: cfk_leaf) -> ArraySlice<UInt32> {
        paths.pathPlayers[Int(leaf.first_player)..<Int(leaf.first_player + leaf.player_count)]
    }

    private func fillTable<Number: ContributionNumber>(
        _ leaf: Int, of kernelPaths: UnsafePointer<cfk_paths>, scale: Double, _ work: Workspace<Number>,
        to table: UnsafeMutablePointer<Number>
    ) {
        let players = players(of: paths.leaves[leaf])
        let count = max(16, 1 << players.count)
        rules.withRule(ofPlayers: players.count) { rule in
            cfk_fill_contributions(
                instructions.code, kernelPaths, leaf, rule, CFK_EXACT, Self.masks, Self.masks.count / 2, count,
                work.contributions, count)
            Number.fill(
                table, from: work.contributions, count: count, scale: scale, players: players, wide: work.wide,
                instructions: instructions)
        }
    }

    /// Adds a leaf to the sums of a block without a table.
    private func add<Number: ContributionNumber>(
        _ leaf: Int, of kernelPaths: UnsafePointer<cfk_paths>, block: Int, scale: Double, _ work: Workspace<Number>
    ) {
        let (rows, players) = (Self.blockRows, players(of: paths.leaves[leaf]))
        rules.withRule(ofPlayers: players.count) { rule in
            cfk_fill_masks(instructions.code, kernelPaths, leaf, work.bins + block * work.binsEach, work.masks)
            cfk_fill_contributions(
                instructions.code, kernelPaths, leaf, rule, CFK_EXACT, work.masks, rows, rows, work.contributions, rows)
            Number.round(
                work.tables, from: work.contributions, count: players.count * rows, scale: scale,
                instructions: instructions)
            for (position, player) in players.enumerated() {
                let sums = work.sums + block * work.sumsEach + Int(player) * rows
                for row in 0..<rows { Number.add(work.tables[position * rows + row], to: &sums[row]) }
            }
        }
    }
}

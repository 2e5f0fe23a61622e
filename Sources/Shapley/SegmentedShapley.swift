import CForestKernels
public import Forest

/// Sums of exact Shapley values over segments of rows: classes, slices, folds, blocks of groups, or what they have in
/// common.
///
/// A sum over rows depends on a leaf only through how many of them pass for each set of the leaf's players. So nothing
/// is looked up row by row: sets are counted, 64 rows at a time, and each count is multiplied once. Counts are integers
/// and the products are added leaf by leaf, so the same bits come out with every instruction set.
public struct SegmentedShapley: Sendable {
    /// Number of players, M.
    public var playerCount: Int { paths.players.count }
    /// Number of classes, K.
    public var classCount: Int { paths.classCount }

    /// Sets for each row up to which it is faster to count sets than to add up rows, as measured.
    private static let mostSetsPerRow = 16

    private let paths: LeafPaths
    private let batches: PlaneBatches
    private let rules: GaussLegendre
    private let instructions: Instructions
    private let mostTabulated: Int

    /// Prepares a forest for explanation.
    ///
    /// - Throws: ``ShapleyError`` with code `invalidPlayers` when the players' columns are not the forest's.
    public init(forest: Forest, players: Players) throws(ShapleyError) {
        try self.init(forest: forest, players: players, instructions: .widest)
    }

    package init(
        forest: Forest, players: Players, instructions: Instructions, mostTabulated: Int? = nil
    ) throws(ShapleyError) {
        paths = try LeafPaths(forest, players: players)
        batches = PlaneBatches(paths)
        rules = GaussLegendre(upToPlayers: paths.longest)
        self.instructions = instructions
        self.mostTabulated = min(mostTabulated ?? .max, Int(CFK_MOST_COUNTED))
    }

    /// The sums of the rows' Shapley values in each segment.
    ///
    /// - Parameters:
    ///   - rows: N x D column values; NaN is missing and follows each split's own rule. Tables are made anew in every
    ///     call, so blocks of some ten thousand rows are best; what blocks give is added in their order.
    ///   - segments: the segment of each row. Few segments with many rows are fastest.
    ///   - segmentCount: number of segments, S.
    /// - Returns: S x K x M sums: segment by segment, class by class, player by player; zero where there are no rows.
    /// - Throws: ``ShapleyError`` with code `invalidShape` when rows and segments do not match.
    public func sums(rows: [Double], segments: [Int], segmentCount: Int) throws(ShapleyError) -> [Double] {
        let rowCount = try paths.rowCount(of: rows)
        guard segments.count == rowCount, segments.allSatisfy({ (0..<segmentCount).contains($0) }) else {
            throw ShapleyError(
                .invalidShape, "give one segment below \(segmentCount) for each of the \(rowCount) rows")
        }
        var sums = [Double](repeating: 0, count: segmentCount * classCount * playerCount)
        let layout = SegmentLayout(segments, segmentCount: segmentCount)
        let work = Workspace(self, layout)
        defer { work.deallocate() }
        rows.withUnsafeBufferPointer { fillBins(of: $0, layout, work) }
        sums.withUnsafeMutableBufferPointer { sums in
            guard let sums = sums.baseAddress else { return }
            paths.withKernelPaths { kernelPaths in
                for batch in batches.all { add(batch, of: kernelPaths, layout, work, to: sums) }
            }
        }
        return sums
    }

    /// Memory for one call.
    private struct Workspace {
        let binsEach: Int
        let bins: UnsafeMutablePointer<UInt8>
        let planes: UnsafeMutablePointer<UInt64>
        let tables: UnsafeMutablePointer<Double>
        /// For leaves that are not counted, a block's masks and contributions.
        let masks: UnsafeMutablePointer<UInt8>
        let contributions: UnsafeMutablePointer<Double>

        init(_ kernel: SegmentedShapley, _ layout: SegmentLayout) {
            func zeros<Number: Numeric>(_ count: Int, of type: Number.Type) -> UnsafeMutablePointer<Number> {
                let numbers = UnsafeMutablePointer<Number>.allocate(capacity: max(1, count))
                numbers.initialize(repeating: 0, count: count)
                return numbers
            }
            binsEach = kernel.paths.columns.count * LeafContributions.blockRows
            bins = zeros(layout.blockCount * binsEach, of: UInt8.self)
            planes = zeros(kernel.batches.mostBounds * Int(CFK_WORDS), of: UInt64.self)
            tables = zeros(kernel.batches.mostTableNumbers, of: Double.self)
            masks = zeros((kernel.paths.longest + 7) / 8 * LeafContributions.blockRows, of: UInt8.self)
            contributions = zeros(kernel.paths.longest * LeafContributions.blockRows, of: Double.self)
        }

        func deallocate() {
            bins.deallocate()
            planes.deallocate()
            tables.deallocate()
            masks.deallocate()
            contributions.deallocate()
        }
    }

    /// Bins rows in the order of the layout; places without a row get whatever row was there before.
    private func fillBins(of rows: UnsafeBufferPointer<Double>, _ layout: SegmentLayout, _ work: Workspace) {
        let (blockRows, width) = (LeafContributions.blockRows, paths.columnCount)
        let ordered = UnsafeMutableBufferPointer<Double>.allocate(capacity: blockRows * width)
        ordered.initialize(repeating: 0)
        defer { ordered.deallocate() }
        guard let source = rows.baseAddress, let target = ordered.baseAddress else { return }
        for block in 0..<layout.blockCount {
            let places = block * blockRows..<min((block + 1) * blockRows, layout.rows.count)
            for (index, row) in layout.rows[places].enumerated() where row >= 0 {
                (target + index * width).update(from: source + Int(row) * width, count: width)
            }
            paths.columns.fill(work.bins + block * work.binsEach, rows: UnsafeBufferPointer(ordered), width: width)
        }
    }

    private func isCounted(_ leaf: cfk_leaf, _ layout: SegmentLayout) -> Bool {
        let count = Int(leaf.player_count)
        return count <= mostTabulated && layout.runCount << count <= Self.mostSetsPerRow * layout.rows.count
    }

    private func add(
        _ batch: PlaneBatches.Batch, of kernelPaths: UnsafePointer<cfk_paths>, _ layout: SegmentLayout,
        _ work: Workspace, to sums: UnsafeMutablePointer<Double>
    ) {
        let masks = LeafContributions.masks
        let stride = classCount * playerCount
        let own = sums + batch.classIndex * playerCount
        let counted = batch.leaves.filter { isCounted(paths.leaves[$0], layout) }
        for leaf in counted {
            let count = PlaneBatches.tableStride(paths.leaves[leaf])
            rules.withRule(ofPlayers: Int(paths.leaves[leaf].player_count)) { rule in
                cfk_fill_contributions(
                    instructions.code, kernelPaths, leaf, rule, CFK_PASSING, masks, masks.count / 2, count,
                    work.tables + batch.tableStarts[leaf - batch.leaves.lowerBound], count)
            }
        }
        for chunk in layout.chunks {
            let bins = work.bins + chunk.firstBlock * work.binsEach
            cfk_fill_planes(
                instructions.code, batch.bounds, batch.bounds.count, bins, work.binsEach, chunk.wordCount, work.planes)
            batches.withKernelPlanes(work.planes) { planes in
                for leaf in counted {
                    cfk_add_segments(
                        instructions.code, kernelPaths, leaf, planes, bins, work.binsEach, chunk.runs,
                        chunk.runs.count, work.tables + batch.tableStarts[leaf - batch.leaves.lowerBound], own, stride)
                }
            }
        }
        for leaf in batch.leaves where !isCounted(paths.leaves[leaf], layout) {
            for block in 0..<layout.blockCount {
                add(leaf, of: kernelPaths, block: block, layout, work, to: own, stride: stride)
            }
        }
    }

    /// Adds the contributions of a leaf to the rows of a block.
    private func add(
        _ leaf: Int, of kernelPaths: UnsafePointer<cfk_paths>, block: Int, _ layout: SegmentLayout, _ work: Workspace,
        to sums: UnsafeMutablePointer<Double>, stride: Int
    ) {
        let (blockRows, own) = (LeafContributions.blockRows, paths.leaves[leaf])
        let players = paths.pathPlayers[Int(own.first_player)..<Int(own.first_player + own.player_count)]
        rules.withRule(ofPlayers: players.count) { rule in
            cfk_fill_masks(instructions.code, kernelPaths, leaf, work.bins + block * work.binsEach, work.masks)
            cfk_fill_contributions(
                instructions.code, kernelPaths, leaf, rule, CFK_EXACT, work.masks, blockRows, blockRows,
                work.contributions, blockRows)
            for piece in layout.pieces[block] {
                for (position, player) in players.enumerated() {
                    sums[piece.segment * stride + Int(player)] += cfk_sum(
                        instructions.code, work.contributions + position * blockRows + piece.rows.lowerBound,
                        piece.rows.count)
                }
            }
        }
    }
}

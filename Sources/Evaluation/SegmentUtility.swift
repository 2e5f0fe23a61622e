import Boosting
import EnsembleModel
import Shapley

extension HeldOutUtility {
    /// Each fold's groups are dealt to so many blocks: the clusters of standard errors. Sums over blocks are all that
    /// is known of rows here; with 40 blocks in five folds Student's t is close to normal.
    private static let blocksPerFold = 8

    /// Rows whose sums are made together.
    private static let summedRows = 32_768

    /// `shapley_signed` of the members on the rows of each class, and of each slice where there are several.
    ///
    /// - Parameters:
    ///   - models: the set's model of each fold.
    ///   - slices: names of the slices that are asked for.
    func segments(
        _ models: [FoldModel], over rows: [Int], slices: [String], monitor: Monitor
    ) throws -> [Evidence.Segment] {
        let validation = inputs.validation
        let blockCount = models.count * Self.blocksPerFold
        var classes = validation.classes.map { _ in SegmentMeans(memberCount: members.count, blockCount: blockCount) }
        var bySlice: [Int: SegmentMeans] = [:]
        let known = Dictionary(uniqueKeysWithValues: validation.sliceNames.enumerated().map { ($1, $0) })
        for slice in slices {
            guard let index = known[slice] else { continue }
            bySlice[index] = SegmentMeans(memberCount: members.count, blockCount: blockCount)
        }
        for (fold, model) in models.enumerated() {
            let kernel = try SegmentedShapley(forest: model.forest, players: players)
            let own = rows.filter { inputs.split.folds[$0] == fold }
            try forEachBlock(of: own, count: Self.summedRows) { block, columns in
                try monitor.check()
                for (cell, sums) in try cells(of: block, columns: columns, kernel) {
                    let cluster = fold * Self.blocksPerFold + cell.block
                    classes[cell.label].add(sums.values, rows: sums.rowCount, cluster: cluster)
                    bySlice[cell.slice]?.add(sums.values, rows: sums.rowCount, cluster: cluster)
                }
            }
        }
        func segment(_ kind: Evidence.Segment.Kind, _ name: String, _ means: SegmentMeans?) -> Evidence.Segment {
            guard let means, means.rowCount > 0 else {
                return Evidence.Segment(kind: kind, name: name, rowCount: 0, scores: [])
            }
            return Evidence.Segment(
                kind: kind, name: name, rowCount: means.rowCount, scores: scores(means.members, .shapleySigned))
        }
        return zip(validation.classes, classes).map { segment(.class, $0, $1) }
            + slices.map { name in segment(.slice, name, known[name].flatMap { bySlice[$0] }) }
    }

    /// Rows that count as one: of the same block, slice and class.
    private struct Cell: Hashable, Comparable {
        let block: Int
        let slice: Int
        let label: Int

        static func < (left: Cell, right: Cell) -> Bool {
            (left.block, left.slice, left.label) < (right.block, right.slice, right.label)
        }
    }

    /// For each cell, the sum of its rows' values on their own class minus the mean of those on the others.
    private func cells(
        of rows: ArraySlice<Int>, columns: [Double], _ kernel: SegmentedShapley
    ) throws -> [(cell: Cell, sums: (values: [Double], rowCount: Int))] {
        let (validation, classCount) = (inputs.validation, inputs.validation.classCount)
        let own = rows.map { row in
            Cell(
                block: validation.groups[row] % Self.blocksPerFold, slice: validation.slices[row],
                label: validation.labels[row])
        }
        let cells = Set(own).sorted()
        let places = Dictionary(uniqueKeysWithValues: cells.enumerated().map { ($1, $0) })
        let segments = own.map { places[$0, default: 0] }
        var counts = [Int](repeating: 0, count: cells.count)
        for segment in segments { counts[segment] += 1 }
        let sums = try kernel.sums(rows: columns, segments: segments, segmentCount: cells.count)
        return cells.enumerated().map { index, cell in
            let values = members.indices.map { member in
                func sum(_ column: Int) -> Double { sums[(index * classCount + column) * members.count + member] }
                let all = (0..<classCount).reduce(0) { $0 + sum($1) }
                return sum(cell.label) - (all - sum(cell.label)) / Double(classCount - 1)
            }
            return (cell, (values, counts[index]))
        }
    }
}

/// The members' means over the rows of one segment.
private struct SegmentMeans {
    private(set) var members: [ClusterMean]
    private(set) var rowCount = 0

    init(memberCount: Int, blockCount: Int) {
        members = Array(repeating: ClusterMean(groupCount: blockCount), count: memberCount)
    }

    mutating func add(_ sums: [Double], rows: Int, cluster: Int) {
        for (member, sum) in sums.enumerated() { members[member].add(sum: sum, rows: rows, group: cluster) }
        rowCount += rows
    }
}

import Boosting
import EnsembleModel
import Shapley

/// What the members of a fitted set are worth, every row judged by the fold model that did not see it.
///
/// Rows are streamed in blocks; what is held beside a block is one sum a group, member and definition.
struct HeldOutUtility {
    /// SAGE is computed on the first so many open rows by id of each fold.
    static let sageRowsPerFold = 400

    static let blockRows = 4096

    let inputs: Inputs
    let members: [ModelVersionID]
    let players: Players

    init(_ inputs: Inputs, members: [ModelVersionID]) throws {
        self.inputs = inputs
        self.members = members
        players = try Players(count: members.count, columnsEach: inputs.columnsEach)
    }

    /// `shapley_abs` and `shapley_signed` of the members, in model order, over some rows.
    ///
    /// - Parameter models: the set's model of each fold.
    func shapley(_ models: [FoldModel], over rows: [Int], monitor: Monitor) throws -> (
        abs: [UtilityScore], signed: [UtilityScore]
    ) {
        let validation = inputs.validation
        let (classCount, memberCount) = (validation.classCount, members.count)
        var absolute = members.map { _ in ClusterMean(groupCount: validation.groupNames.count) }
        var signed = absolute
        for (fold, model) in models.enumerated() {
            let kernel = try GroupedShapley(forest: model.forest, players: players)
            try forEachBlock(of: rows.filter { inputs.split.folds[$0] == fold }) { block, columns in
                try monitor.check()
                let phi = try kernel.values(rows: columns)
                for (index, row) in block.enumerated() {
                    for member in 0..<memberCount {
                        var (magnitude, sum, own) = (0.0, 0.0, 0.0)
                        for column in 0..<classCount {
                            let value = phi[(index * classCount + column) * memberCount + member]
                            magnitude += abs(value)
                            sum += value
                            if column == validation.labels[row] { own = value }
                        }
                        absolute[member].add(magnitude, group: validation.groups[row])
                        signed[member].add(own - (sum - own) / Double(classCount - 1), group: validation.groups[row])
                    }
                }
            }
        }
        return (scores(absolute, .shapleyAbs), scores(signed, .shapleySigned))
    }

    /// `sage` of the members, in model order, on open rows.
    ///
    /// - Parameter models: the set's model of each fold.
    func sage(_ models: [FoldModel]) throws -> [UtilityScore] {
        let validation = inputs.validation
        var means = members.map { _ in ClusterMean(groupCount: validation.groupNames.count) }
        var firstRow = 0
        for (fold, model) in models.enumerated() {
            let sage = try Sage(forest: model.forest, players: players)
            let open = inputs.openRows.filter { inputs.split.folds[$0] == fold }
            try forEachBlock(of: Array(open.prefix(Self.sageRowsPerFold))) { block, columns in
                let values = try sage.values(
                    rows: columns, labels: block.map { validation.labels[$0] }, firstRow: firstRow)
                firstRow += block.count
                for (index, row) in block.enumerated() {
                    for member in members.indices {
                        means[member].add(values[index * members.count + member], group: validation.groups[row])
                    }
                }
            }
        }
        return scores(means, .sage)
    }

    /// Calls `body` with blocks of rows and their columns.
    func forEachBlock(
        of rows: [Int], count: Int = blockRows, _ body: (ArraySlice<Int>, [Double]) throws -> Void
    ) throws {
        for first in stride(from: 0, to: rows.count, by: count) {
            let block = rows[first..<min(first + count, rows.count)]
            try body(block, inputs.columns(of: members, rows: block))
        }
    }

    /// The members' means as scores.
    func scores(_ means: [ClusterMean], _ kind: UtilityKind) -> [UtilityScore] {
        zip(members, means).map { UtilityScore(model: $0, kind: kind, value: $1.mean, standardError: $1.standardError) }
    }
}

import EnsembleModel

/// Rows of four classes whose labels are drawn from true logits. The champion's logits are those plus twenty errors,
/// each of which a truly better challenger does without.
public struct GeneratedRows: Hashable, Sendable {
    /// Groups of the validation set.
    public var groups: Int
    /// Rows of each group.
    public var rowsPerGroup: Int
    /// Variances of the champion's errors, in squared logits, used in turn.
    public var errorVariances: [Double]

    /// Creates a setting; the defaults are the documented ones.
    public init(groups: Int = 400, rowsPerGroup: Int = 10, errorVariances: [Double] = [0.01, 0.02, 0.04, 0.08]) {
        self.groups = groups
        self.rowsPerGroup = rowsPerGroup
        self.errorVariances = errorVariances
    }

    private static let classOffsets = [1.2, 0.3, -0.5, 0]
    private static let rowScale = 1.3
    private static let groupScale = 0.6
    private static let freshRows = 6000
    private static let fewestFreshGroups = 100

    func validate() throws(SimulationError) {
        try Scenario.check("groups", groups, in: 2...100_000)
        try Scenario.check("rows per group", rowsPerGroup, in: 1...1000)
        try Scenario.check("rows", groups * rowsPerGroup, in: 2...Scenario.maximumRows)
        guard !errorVariances.isEmpty, errorVariances.allSatisfy({ (1e-6...10).contains($0) }) else {
            throw SimulationError(.invalidScenario, "error variances must be between 1e-06 and 10")
        }
    }

    func world(_ random: inout RandomSource) throws(SimulationError) -> World {
        let drawn = draw(groupCount: groups, &random)
        let freshGroups = max(Self.fewestFreshGroups, Self.freshRows / rowsPerGroup)
        let fresh = draw(groupCount: freshGroups, &random)
        return World(
            drawn.rows, fresh: fresh.rows, isOpen: try Self.split(drawn.rows),
            improvements: drawn.changes.indices.map { index in
                .init(
                    kind: index % errorVariances.count, change: drawn.changes[index],
                    freshChange: fresh.changes[index])
            },
            kinds: errorVariances.count)
    }

    /// Rows, and the changes that remove the champion's errors.
    private func draw(groupCount: Int, _ random: inout RandomSource) -> (rows: Rows, changes: [[Double]]) {
        let classCount = Self.classOffsets.count
        let groups = (0..<groupCount * rowsPerGroup).map { $0 / rowsPerGroup }
        let layout = Rows.Layout(classCount: classCount, groups: groups, groupCount: groupCount)
        var logits = layout.noise(rowScale: Self.rowScale, groupScale: Self.groupScale, &random)
        for index in logits.indices { logits[index] += Self.classOffsets[index % classCount] }
        let labels = groups.indices.map { row in
            let drawn = (0..<classCount).map { logits[row * classCount + $0] + random.gumbel() }
            return drawn.indices.reduce(0) { drawn[$1] > drawn[$0] ? $1 : $0 }
        }
        let changes = (0..<Scenario.mostBetter).map { index in
            layout.noise(scale: errorVariances[index % errorVariances.count].squareRoot(), &random)
        }
        for change in changes { logits.add(change, times: -1) }
        return (Rows(layout: layout, labels: labels, logits: logits), changes)
    }

    private static func split(_ rows: Rows) throws(SimulationError) -> [Bool] {
        do {
            let validation = try ValidationSet(
                classes: classOffsets.indices.map { "class-\($0)" },
                rows: rows.labels.indices.map { row in
                    // Ids of equal length sort as the rows do.
                    let group = 1_000_000 + rows.layout.groups[row]
                    return .init(id: "\(1_000_000 + row)", label: rows.labels[row], group: "\(group)")
                })
            return try HashSplit(validation, salt: validation.epochSalt).isOpen
        } catch {
            throw SimulationError(.invalidRows, error.message)
        }
    }
}

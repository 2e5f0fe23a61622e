/// The combiner's columns under `probability+group`, written down a second time for tests: row by row, of each member
/// its probabilities and then their deviations from its mean over the rows of the same group.
public func groupColumns<Group: Hashable>(of members: [[Float]], classCount: Int, groups: [Group]) -> [Double] {
    let rowsOfGroup = Dictionary(grouping: groups.indices) { groups[$0] }
    return groups.indices.flatMap { row in
        members.flatMap { member in
            let values = (0..<classCount).map { Double(member[row * classCount + $0]) }
            let others = (rowsOfGroup[groups[row]] ?? []).filter { !member[$0 * classCount].isNaN }
            return values
                + (0..<classCount).map { column in
                    let mean = others.map { Double(member[$0 * classCount + column]) }.reduce(0, +)
                    return values[column] - mean / Double(others.count)
                }
        }
    }
}

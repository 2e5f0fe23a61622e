/// One member's part of the combiner's input: of each row its K probabilities as 64-bit values, then, where there are
/// groups, their K deviations from the member's mean over the rows of the same group.
///
/// Training, golden rows and serving nodes all make their columns here, with sums in the order of the rows, so that
/// they agree bit for bit on the same rows. In another order of rows at most the last bits of a mean differ.
public struct MemberColumns: Sendable {
    private let probabilities: [Float]
    private let classCount: Int
    private let groups: [Int]
    /// G x K means; empty without groups.
    private let means: [Double]

    /// Takes a member's probabilities, and computes its mean in each group.
    ///
    /// - Parameters:
    ///   - probabilities: N x K values, row by row. A missing row is NaN and left out of its group's mean.
    ///   - groups: a number for each row, the same for rows of the same group, counted from 0; nil for
    ///     ``Policy/Columns/probability``.
    public init(_ probabilities: [Float], classCount: Int, groups: [Int]?) {
        precondition(classCount > 0 && probabilities.count.isMultiple(of: classCount), "rows are of K probabilities")
        precondition(groups.map { $0.count * classCount == probabilities.count } ?? true, "each row has a group")
        self.probabilities = probabilities
        self.classCount = classCount
        self.groups = groups ?? []
        means = Self.means(of: probabilities, classCount: classCount, groups: groups ?? [])
    }

    /// Numbers groups from 0 in the order in which they first appear.
    public static func numbered<Group: Hashable>(_ groups: [Group]) -> [Int] {
        var numbers: [Group: Int] = [:]
        return groups.map { group in
            let number = numbers[group, default: numbers.count]
            numbers[group] = number
            return number
        }
    }

    private static func means(of probabilities: [Float], classCount: Int, groups: [Int]) -> [Double] {
        let groupCount = (groups.max() ?? -1) + 1
        var sums = [Double](repeating: 0, count: groupCount * classCount)
        var counts = [Double](repeating: 0, count: groupCount)
        for (row, group) in groups.enumerated() where !probabilities[row * classCount].isNaN {
            counts[group] += 1
            for column in 0..<classCount {
                sums[group * classCount + column] += Double(probabilities[row * classCount + column])
            }
        }
        return sums.indices.map { sums[$0] / counts[$0 / classCount] }
    }

    /// Columns of each row.
    private var width: Int { means.isEmpty ? classCount : 2 * classCount }

    /// The combiner's input: the members' columns of some rows side by side, row by row.
    ///
    /// - Parameters:
    ///   - members: the members in model order, all with groups or all without.
    ///   - rows: the rows wanted; the means are over all rows of the members nevertheless.
    public static func joined(_ members: [MemberColumns], rows: [Int]) -> [Double] {
        let total = members.reduce(0) { $0 + $1.width }
        var values = [Double](repeating: 0, count: rows.count * total)
        var first = 0
        for member in members {
            member.write(rows, to: &values, first: first, total: total)
            first += member.width
        }
        return values
    }

    private func write(_ rows: [Int], to values: inout [Double], first: Int, total: Int) {
        probabilities.withUnsafeBufferPointer { source in
            for (index, row) in rows.enumerated() {
                let target = index * total + first
                for column in 0..<classCount { values[target + column] = Double(source[row * classCount + column]) }
                guard !means.isEmpty else { continue }
                let mean = groups[row] * classCount
                for column in 0..<classCount {
                    values[target + classCount + column] = values[target + column] - means[mean + column]
                }
            }
        }
    }
}

/// A mean over rows whose standard error allows rows of one group to depend on each other.
///
/// Holds one sum a group, whatever the number of rows.
public struct ClusterMean: Sendable {
    private var sums: [Double]
    private var counts: [Int]
    private var total = 0.0
    private var rowCount = 0

    /// Creates a mean over no rows of groups `0..<groupCount`.
    public init(groupCount: Int) {
        sums = Array(repeating: 0, count: groupCount)
        counts = Array(repeating: 0, count: groupCount)
    }

    /// Adds a row's value; the order of rows is the order of summation.
    public mutating func add(_ value: Double, group: Int) { add(sum: value, rows: 1, group: group) }

    /// Adds the sum of some rows' values.
    public mutating func add(sum: Double, rows: Int, group: Int) {
        sums[group] += sum
        counts[group] += rows
        total += sum
        rowCount += rows
    }

    /// The mean over the rows added; NaN without rows.
    public var mean: Double { total / Double(rowCount) }

    /// sqrt(G/(G-1) * sum over groups (sum over its rows of (d - m))^2) / N, over the G groups that have rows; nil for
    /// G < 2.
    public var standardError: Double? {
        let groupCount = counts.count { $0 > 0 }
        guard groupCount > 1 else { return nil }
        let mean = mean
        var squares = 0.0
        for (sum, count) in zip(sums, counts) where count > 0 {
            let deviation = sum - Double(count) * mean
            squares += deviation * deviation
        }
        return (Double(groupCount) / Double(groupCount - 1) * squares).squareRoot() / Double(rowCount)
    }
}

/// A column with one treatment of what is missing: kernels replace its values by their ranks among its thresholds, the
/// number of those below.
package struct RankedColumn: Hashable, Comparable, Sendable {
    /// Place among a row's values.
    package let column: Int
    /// What counts as missing.
    package let missingRule: Tree.MissingRule
    /// Whether what is missing goes left; false where nothing is.
    package let defaultsLeft: Bool

    /// The column that a split tests.
    package init(_ split: Split) {
        column = split.column
        missingRule = split.missingRule
        defaultsLeft = split.defaultsLeft && split.missingRule != .none
    }

    package static func < (left: RankedColumn, right: RankedColumn) -> Bool { left.key < right.key }

    private var key: (Int, UInt8, Int) { (column, missingRule.rawValue, defaultsLeft ? 1 : 0) }

    /// Each column's distinct thresholds, ascending; columns in their order.
    package static func thresholds(
        of splits: some Sequence<Split>
    ) -> [(column: RankedColumn, thresholds: [Double])] {
        var found: [RankedColumn: Set<Double>] = [:]
        for split in splits { found[RankedColumn(split), default: []].insert(split.threshold) }
        return found.sorted { $0.key < $1.key }.map { ($0.key, $0.value.sorted()) }
    }
}

extension [Double] {
    /// How many of these ascending thresholds are below a value.
    package func rank(of value: Double) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if self[middle] < value { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

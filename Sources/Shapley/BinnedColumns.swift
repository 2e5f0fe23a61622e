import CForestKernels
import Forest

/// The columns that a forest splits on, with each value replaced by the number of thresholds below it, its bin.
///
/// A bin is a byte, so a column with more than 255 thresholds is binned several times, each time by some of them; and
/// it is binned once for each way in which its splits treat what is missing. Then every split asks for a range of bins,
/// and no case is special.
struct BinnedColumns: Sendable {
    private struct Key: Hashable {
        let column: Int
        let missingRule: Tree.MissingRule
        let defaultsLeft: Bool

        init(_ split: Split) {
            column = split.column
            missingRule = split.missingRule
            defaultsLeft = split.defaultsLeft && split.missingRule != .none
        }
    }

    private static let thresholdsEach = 255

    /// Number of binned columns.
    var count: Int { keys.count }

    private var keys: [Key] = []
    /// Thresholds of each binned column, padded.
    private var thresholds: [Double] = []
    /// For each key its ascending thresholds and the first of its binned columns.
    private var places: [Key: (first: Int, thresholds: [Double])] = [:]

    init(of splits: some Sequence<Split>) {
        var found: [Key: Set<Double>] = [:]
        for split in splits { found[Key(split), default: []].insert(split.threshold) }
        let ordered = found.sorted {
            ($0.key.column, $0.key.missingRule.rawValue, $0.key.defaultsLeft ? 1 : 0)
                < ($1.key.column, $1.key.missingRule.rawValue, $1.key.defaultsLeft ? 1 : 0)
        }
        for (key, values) in ordered {
            let ascending = values.sorted()
            places[key] = (keys.count, ascending)
            for first in stride(from: 0, to: ascending.count, by: Self.thresholdsEach) {
                let own = ascending[first..<min(first + Self.thresholdsEach, ascending.count)]
                keys.append(key)
                thresholds += own
                thresholds += repeatElement(.infinity, count: Self.thresholdsEach - own.count)
            }
        }
    }

    /// The bins that a split sends to one side.
    func test(_ split: Split, left: Bool) -> cfk_test? {
        guard let place = places[Key(split)] else { return nil }
        let index = place.thresholds.partitioningIndex { $0 >= split.threshold }
        let column = UInt32(place.first + index / Self.thresholdsEach)
        let last = UInt8(index % Self.thresholdsEach)
        return left
            ? cfk_test(column: column, low: 0, width: last) : cfk_test(column: column, low: last + 1, width: 254 - last)
    }

    /// Writes the bins of a block of rows.
    func fill(_ bins: UnsafeMutablePointer<UInt8>, rows: UnsafeBufferPointer<Double>, width: Int) {
        thresholds.withUnsafeBufferPointer { thresholds in
            guard let base = thresholds.baseAddress, let values = rows.baseAddress else { return }
            let columns = keys.enumerated().map { index, key in
                cfk_column(
                    thresholds: base + index * Self.thresholdsEach, column: UInt32(key.column),
                    missing: key.missingRule.rawValue, missing_bin: key.defaultsLeft ? 0 : 255)
            }
            cfk_fill_bins(
                values, rows.count / width, width, Tree.MissingRule.zeroMagnitude, columns, columns.count, bins)
        }
    }
}

extension [Double] {
    /// The first index whose element the predicate holds for, in an array parted by it.
    fileprivate func partitioningIndex(_ holds: (Double) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if holds(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}

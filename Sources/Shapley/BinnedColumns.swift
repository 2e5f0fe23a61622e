import CForestKernels
import Forest

/// The columns that a forest splits on, with each value replaced by the number of thresholds below it, its bin.
///
/// A bin is a byte, so a column with more than 255 thresholds is binned several times, each time by some of them; and
/// it is binned once for each way in which its splits treat what is missing. Then every split asks for a range of bins,
/// and no case is special.
///
/// The bins are the forest's own. Those of training are of the rows that a combiner saw, while values are explained on
/// rows that it did not see, and LightGBM's interface does not give them out.
struct BinnedColumns: Sendable {
    private static let thresholdsEach = 255

    /// Number of binned columns.
    var count: Int { keys.count }

    private var keys: [RankedColumn] = []
    /// Thresholds of each binned column, padded.
    private var thresholds: [Double] = []
    /// For each key its ascending thresholds and the first of its binned columns.
    private var places: [RankedColumn: (first: Int, thresholds: [Double])] = [:]

    init(of splits: some Sequence<Split>) {
        for (key, ascending) in RankedColumn.thresholds(of: splits) {
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
        guard let place = places[RankedColumn(split)] else { return nil }
        let index = place.thresholds.rank(of: split.threshold)
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

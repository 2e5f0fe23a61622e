import Synchronization

/// The rows that an ensemble is asked for most, with what its members are told of them.
final class HotRows: Sendable {
    /// Rows kept.
    static let capacity = 512
    /// A row with more bytes of inputs is not kept.
    static let rowBytes = 64 << 10

    private let rows = Mutex(HeavyHitters<String, RawRows>(capacity: capacity))

    /// Counts the rows of a request that members could be called with.
    func add(_ rows: RawRows) {
        guard let keys = rows.keys else { return }
        self.rows.withLock { hitters in
            for (row, key) in keys.enumerated() {
                hitters.add(key) { rows.bytes(ofRow: row) <= Self.rowBytes ? rows.row(row) : nil }
            }
        }
    }

    /// The rows, the most frequent first, in parts of one layout.
    func selections() -> [RowSelection] {
        let rows = rows.withLock { $0.top.map(\.payload) }
        var ofLayouts: [RawRows.Layout: [RawRows]] = [:]
        for row in rows { ofLayouts[row.layout, default: []].append(row) }
        return ofLayouts.values.sorted { $0.count > $1.count }.compactMap { rows in
            RawRows(joining: rows).map { RowSelection($0, Array(0..<$0.count)) }
        }
    }
}

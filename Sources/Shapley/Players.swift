/// Which player of the game each column of a forest belongs to: a model's columns enter and leave a coalition together.
public struct Players: Hashable, Sendable {
    /// Player of each column.
    public let ofColumn: [Int]
    /// Number of players, M. A player without columns is allowed: it is worth nothing.
    public let count: Int

    /// Assigns columns to players `0..<count`.
    ///
    /// - Throws: ``ShapleyError`` with code `invalidPlayers` for a player outside that range.
    public init(ofColumn: [Int], count: Int) throws(ShapleyError) {
        guard let last = ofColumn.max(), let first = ofColumn.min(), first >= 0, last < count else {
            throw ShapleyError(
                .invalidPlayers, "give every column a player from 0 to \(count - 1), and at least one column")
        }
        self.ofColumn = ofColumn
        self.count = count
    }

    /// `count` players that own `columns` consecutive columns each.
    ///
    /// - Throws: ``ShapleyError`` with code `invalidPlayers` when either number is not positive.
    public init(count: Int, columnsEach columns: Int) throws(ShapleyError) {
        try self.init(ofColumn: (0..<max(0, count * columns)).map { $0 / columns }, count: count)
    }
}

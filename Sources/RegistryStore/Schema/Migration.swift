import EnsembleModel

/// One step of the schema, applied once and never changed.
struct Migration: Sendable {
    /// File name without its extension, e.g. `0001_registry`; its digits give the order.
    let name: String
    let sql: String
    /// Of the file's bytes.
    let checksum: ContentDigest

    init(name: String, sql: String) {
        self.name = name
        self.sql = sql
        checksum = .of(sql)
    }

    /// The migrations still to be applied, in order.
    ///
    /// - Throws: ``StoreError`` when what was applied is not exactly the beginning of `known`.
    static func pending(known: [Migration], applied: [(name: String, checksum: String)]) throws -> ArraySlice<Migration>
    {
        let names = Set(known.map(\.name))
        if let foreign = applied.first(where: { !names.contains($0.name) }) {
            throw StoreError(
                .schemaTooNew,
                "the database has migration '\(foreign.name)', which this program does not know; use a newer program")
        }
        for (migration, applied) in zip(known, applied)
        where migration.name != applied.name || migration.checksum.hex != applied.checksum {
            throw StoreError(
                .checksumMismatch,
                "migration '\(migration.name)' is not what was applied to the database; use the program that applied it"
            )
        }
        return known.dropFirst(applied.count)
    }
}

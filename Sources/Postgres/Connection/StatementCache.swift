/// Which prepared statements a connection has, at most `limit`; the one unused for longest makes room.
struct StatementCache {
    /// The same text with other parameter types is another statement.
    struct Key: Hashable {
        var text: String
        var types: [PostgresType]
    }

    enum Lookup: Equatable {
        case prepared(name: String)
        /// Prepare under this name, after deallocating the other, if any.
        case missing(name: String, evicted: String?)
    }

    private struct Entry {
        var name: String
        var lastUse: Int
    }

    let limit: Int
    private var entries: [Key: Entry] = [:]
    private var uses = 0

    init(limit: Int) {
        self.limit = max(limit, 1)
    }

    var count: Int { entries.count }

    /// The statement's name; a missing one counts as prepared from now on, until `remove` says otherwise.
    mutating func use(_ key: Key) -> Lookup {
        uses += 1
        if let name = entries[key]?.name {
            entries[key]?.lastUse = uses
            return .prepared(name: name)
        }
        var evicted: String?
        // A scan of a few hundred entries is nothing beside the preparation that follows.
        if entries.count >= limit, let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse }) {
            evicted = oldest.value.name
            entries[oldest.key] = nil
        }
        let name = "s\(uses)"
        entries[key] = Entry(name: name, lastUse: uses)
        return .missing(name: name, evicted: evicted)
    }

    mutating func remove(_ key: Key) {
        entries[key] = nil
    }

    mutating func removeAll() {
        entries.removeAll()
    }
}

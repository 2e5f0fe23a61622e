import DequeModule

/// A bounded cache that keeps what is asked for again and lets pass what comes once: S3-FIFO (Yang et al., "FIFO queues
/// are all you need for cache eviction", SOSP 2023).
///
/// What is new waits in a small queue. Asked for again there, it moves to the main queue when its turn to leave comes;
/// otherwise it leaves, and only its fingerprint is kept for a while: if it comes back, it goes to the main queue at
/// once. In the main queue an entry stays another round for each time it was asked for, three at most.
struct S3FIFO<Key: Hashable, Value> {
    fileprivate struct Entry {
        var key: Key
        var value: Value
        var cost: Int
        var uses: UInt8 = 0
    }

    /// What all costs together never exceed.
    let capacity: Int
    /// Costs of the entries together.
    private(set) var cost = 0
    /// Entries that had to leave.
    private(set) var evictions = 0
    private var smallCost = 0
    private var places: [Key: Int] = [:]
    private var entries: [Entry?] = []
    /// Whether the entry at a place waits in the small queue.
    private var isSmall: [Bool] = []
    private var free: [Int] = []
    private var small: Deque<Int> = []
    private var main: Deque<Int> = []
    private var ghosts: Deque<Int> = []
    private var isGhost: Set<Int> = []

    /// - Parameter capacity: bound of the costs, in whatever they are measured.
    init(capacity: Int) { self.capacity = capacity }

    var count: Int { places.count }

    /// A value, and takes note that it was asked for.
    mutating func value(_ key: Key) -> Value? {
        guard let place = places[key], let value = entries[place]?.value else { return nil }
        if let uses = entries[place]?.uses, uses < 3 { entries[place]?.uses = uses + 1 }
        return value
    }

    /// Keeps a value, in place of the key's earlier one; not if it costs more than a tenth of the capacity.
    mutating func insert(_ value: Value, for key: Key, cost: Int) {
        guard cost <= max(1, capacity / 10) else { return }
        if let place = places[key], let old = entries[place] {
            // It stays in its queue, and the queues' costs are of entries as they are when they leave: add the change.
            entries[place]?.value = value
            entries[place]?.cost = cost
            self.cost += cost - old.cost
            if isSmall[place] { smallCost += cost - old.cost }
        } else {
            let isKnown = isGhost.contains(key.hashValue)
            let place = store(Entry(key: key, value: value, cost: cost), isSmall: !isKnown)
            places[key] = place
            self.cost += cost
            if isKnown {
                main.append(place)
            } else {
                small.append(place)
                smallCost += cost
            }
        }
        while self.cost > capacity { evict() }
    }

    private mutating func store(_ entry: Entry, isSmall: Bool) -> Int {
        if let place = free.popLast() {
            entries[place] = entry
            self.isSmall[place] = isSmall
            return place
        }
        entries.append(entry)
        self.isSmall.append(isSmall)
        return entries.count - 1
    }

    /// One step towards room: an entry leaves, changes its queue or goes on another round.
    private mutating func evict() {
        if smallCost > capacity / 10 || main.isEmpty, let place = small.popFirst(), let entry = entries[place] {
            smallCost -= entry.cost
            if entry.uses > 0 {
                entries[place]?.uses = 0
                isSmall[place] = false
                main.append(place)
            } else {
                addGhost(entry.key.hashValue)
                drop(place, entry)
            }
        } else if let place = main.popFirst(), let entry = entries[place] {
            if entry.uses > 0 {
                entries[place]?.uses = entry.uses - 1
                main.append(place)
            } else {
                drop(place, entry)
            }
        }
    }

    private mutating func drop(_ place: Int, _ entry: Entry) {
        places[entry.key] = nil
        entries[place] = nil
        free.append(place)
        cost -= entry.cost
        evictions += 1
    }

    /// As many ghosts as entries, so that an entry's share of memory covers one.
    private mutating func addGhost(_ fingerprint: Int) {
        ghosts.append(fingerprint)
        isGhost.insert(fingerprint)
        while ghosts.count > max(16, places.count), let oldest = ghosts.popFirst() { isGhost.remove(oldest) }
    }
}

extension S3FIFO: Sendable where Key: Sendable, Value: Sendable {}
extension S3FIFO.Entry: Sendable where Key: Sendable, Value: Sendable {}

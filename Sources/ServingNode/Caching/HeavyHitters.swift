/// The most frequent keys of a stream, roughly, in bounded memory: a count-min sketch (Cormode and Muthukrishnan 2005)
/// beside a list of the keys that it counts highest, each with what belongs to it.
///
/// Counts are halved now and then, so that what was frequent once gives way to what is now.
struct HeavyHitters<Key: Hashable, Payload> {
    private static var depth: Int { 4 }
    /// The number of keys kept.
    let capacity: Int
    private let width: Int
    private let halvingPeriod: Int
    private var counters: [UInt32]
    private var added = 0
    private var kept: [Key: (count: UInt32, payload: Payload)] = [:]
    /// The least count of the keys kept; lower than it while a key's own count has grown since.
    private var leastKept: UInt32 = 0

    /// - Parameters:
    ///   - capacity: number of keys to keep.
    ///   - width: counters of each of the sketch's rows, a power of two.
    init(capacity: Int, width: Int = 16_384) {
        precondition(width > 0 && width & (width - 1) == 0, "the width is a power of two")
        self.capacity = capacity
        self.width = width
        halvingPeriod = width * 8
        counters = [UInt32](repeating: 0, count: width * Self.depth)
    }

    /// The keys kept, the most frequent first.
    var top: [(key: Key, count: Int, payload: Payload)] {
        kept.sorted { $0.value.count > $1.value.count }.map { ($0.key, Int($0.value.count), $0.value.payload) }
    }

    /// Counts a key.
    ///
    /// - Parameter payload: made only when the key is taken among those kept; nil keeps it out.
    mutating func add(_ key: Key, payload: () -> Payload?) {
        let count = counted(key)
        if kept[key] != nil {
            kept[key]?.count = count
        } else if kept.count < capacity || count > leastKept {
            if kept.count >= capacity {
                // The list's least may have grown: look before anything is thrown away.
                guard let least = kept.min(by: { $0.value.count < $1.value.count }) else { return }
                leastKept = least.value.count
                guard count > leastKept, let payload = payload() else { return }
                kept[least.key] = nil
                kept[key] = (count, payload)
            } else if let payload = payload() {
                kept[key] = (count, payload)
            }
        }
        added += 1
        if added.isMultiple(of: halvingPeriod) { halve() }
    }

    /// Counts a key in the sketch and returns its estimate, which is never too low.
    private mutating func counted(_ key: Key) -> UInt32 {
        let hash = UInt64(bitPattern: Int64(key.hashValue))
        // Two halves of one hash make as many as are needed (Kirsch and Mitzenmacher 2006).
        let (first, second) = (hash & 0xFFFF_FFFF, hash >> 32 | 1)
        var least = UInt32.max
        for row in 0..<Self.depth {
            let place = row * width + Int((first &+ UInt64(row) &* second) & UInt64(width - 1))
            if counters[place] < .max { counters[place] += 1 }
            least = min(least, counters[place])
        }
        return least
    }

    private mutating func halve() {
        for place in counters.indices { counters[place] /= 2 }
        for key in kept.keys { kept[key]?.count /= 2 }
        leastKept /= 2
    }
}

extension HeavyHitters: Sendable where Key: Sendable, Payload: Sendable {}

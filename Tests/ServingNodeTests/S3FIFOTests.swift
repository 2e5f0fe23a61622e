import Foundation
import RegistryTesting
import Testing

@testable import ServingNode

@Suite struct S3FIFOTests {
    /// The paper's rules in lists that are searched from front to back.
    private struct Model {
        struct Entry {
            var key: Int
            var value: Int
            var cost: Int
            var uses = 0
        }

        let capacity: Int
        var small: [Entry] = []
        var main: [Entry] = []
        var ghosts: [Int] = []

        var cost: Int { (small + main).reduce(0) { $0 + $1.cost } }

        mutating func value(_ key: Int) -> Int? {
            if let place = small.firstIndex(where: { $0.key == key }) {
                small[place].uses = min(3, small[place].uses + 1)
                return small[place].value
            }
            guard let place = main.firstIndex(where: { $0.key == key }) else { return nil }
            main[place].uses = min(3, main[place].uses + 1)
            return main[place].value
        }

        mutating func insert(_ value: Int, for key: Int, cost: Int) {
            guard cost <= max(1, capacity / 10) else { return }
            if let place = small.firstIndex(where: { $0.key == key }) {
                (small[place].value, small[place].cost) = (value, cost)
            } else if let place = main.firstIndex(where: { $0.key == key }) {
                (main[place].value, main[place].cost) = (value, cost)
            } else if ghosts.contains(key) {
                main.append(Entry(key: key, value: value, cost: cost))
            } else {
                small.append(Entry(key: key, value: value, cost: cost))
            }
            while self.cost > capacity { evict() }
        }

        private mutating func evict() {
            if small.reduce(0, { $0 + $1.cost }) > capacity / 10 || main.isEmpty {
                var entry = small.removeFirst()
                if entry.uses > 0 {
                    entry.uses = 0
                    main.append(entry)
                } else {
                    // The entry that leaves still counts when the ghosts are.
                    ghosts.append(entry.key)
                    while ghosts.count > max(16, small.count + main.count + 1) { ghosts.removeFirst() }
                }
            } else {
                var entry = main.removeFirst()
                guard entry.uses > 0 else { return }
                entry.uses -= 1
                main.append(entry)
            }
        }
    }

    @Test(arguments: [1, 7, 40, 300]) func doesWhatTheRulesSay(capacity: Int) {
        for seed in 1...20 {
            var random = SplitMix64(seed: UInt64(seed))
            var model = Model(capacity: capacity)
            var cache = S3FIFO<Int, Int>(capacity: capacity)
            for step in 0..<1500 {
                // Some keys often, most seldom.
                let key = Int(random.next() % (random.next() % 2 == 0 ? 10 : 200))
                if random.next() % 3 == 0 {
                    let cost = 1 + Int(random.next() % UInt64(max(1, capacity / 8)))
                    model.insert(step, for: key, cost: cost)
                    cache.insert(step, for: key, cost: cost)
                } else {
                    let (ours, theirs) = (cache.value(key), model.value(key))
                    #expect(ours == theirs)
                }
                #expect(cache.cost == model.cost && cache.count == model.small.count + model.main.count)
                #expect(cache.cost <= capacity)
            }
        }
    }

    /// A plain least-recently-used cache, to be better than.
    private struct LeastRecentlyUsed {
        let capacity: Int
        var lastUses: [Int: Int] = [:]
        var keys: [Int: Int] = [:]
        var oldest = 0
        var clock = 0

        /// Whether the key was there; it is then.
        mutating func touch(_ key: Int) -> Bool {
            clock += 1
            let last = lastUses.updateValue(clock, forKey: key)
            if let last { keys[last] = nil }
            keys[clock] = key
            while lastUses.count > capacity {
                oldest += 1
                if let key = keys.removeValue(forKey: oldest) { lastUses[key] = nil }
            }
            return last != nil
        }
    }

    /// Draws of keys with probabilities as `1 / rank`.
    private static func zipf(_ count: Int, keys: Int, seed: UInt64) -> [Int] {
        var random = SplitMix64(seed: seed)
        var sums = [0.0]
        for rank in 1...keys { sums.append((sums.last ?? 0) + 1 / Double(rank)) }
        return (0..<count).map { _ in
            let draw = Double.random(in: 0..<(sums.last ?? 1), using: &random)
            var (low, high) = (0, keys)
            while high - low > 1 {
                let middle = (low + high) / 2
                if sums[middle] <= draw { low = middle } else { high = middle }
            }
            return low
        }
    }

    private static func hitRates(_ trace: [Int], capacity: Int) -> (ours: Double, leastRecentlyUsed: Double) {
        var cache = S3FIFO<Int, Bool>(capacity: capacity)
        var other = LeastRecentlyUsed(capacity: capacity)
        var (hits, otherHits) = (0, 0)
        for key in trace {
            if cache.value(key) != nil { hits += 1 } else { cache.insert(true, for: key, cost: 1) }
            if other.touch(key) { otherHits += 1 }
        }
        return (Double(hits) / Double(trace.count), Double(otherHits) / Double(trace.count))
    }

    @Test func keepsMoreOfWhatIsAskedOftenThanLeastRecentlyUsed() {
        for capacity in [100, 500, 1000] {
            let rates = Self.hitRates(Self.zipf(100_000, keys: 10_000, seed: 5), capacity: capacity)
            #expect(rates.ours > rates.leastRecentlyUsed + 0.03, "\(capacity): \(rates)")
        }
    }

    @Test func aScanDoesNotSweepItOut() {
        let frequent = Self.zipf(100_000, keys: 2000, seed: 6)
        // After each thousand requests a thousand keys that never come again.
        let trace = frequent.enumerated().flatMap { step, key in
            step % 1000 == 999 ? [key] + (0..<1000).map { 1_000_000 + step * 1000 + $0 } : [key]
        }
        let rates = Self.hitRates(trace, capacity: 500)
        #expect(rates.ours > rates.leastRecentlyUsed + 0.1, "\(rates)")
    }

    @Test func whatCostsTooMuchIsNotKept() {
        var cache = S3FIFO<Int, Int>(capacity: 100)
        cache.insert(1, for: 1, cost: 11)
        #expect(cache.count == 0 && cache.cost == 0)
        cache.insert(1, for: 1, cost: 10)
        #expect(cache.count == 1 && cache.cost == 10)
    }

    @Test func shardsCountTogether() async {
        let cache = ShardedCache<String, Int>(bytes: 16_000)
        await withTaskGroup(of: Void.self) { group in
            for task in 0..<4 {
                group.addTask {
                    for key in 0..<1000 {
                        if cache.value("\(task) \(key % 300)") == nil {
                            cache.insert(key, for: "\(task) \(key % 300)", bytes: 20)
                        }
                    }
                }
            }
        }
        let figures = cache.figures
        #expect(figures.hits + figures.misses == 4000)
        #expect(figures.capacity == 16_000 && figures.bytes <= 16_000 && figures.bytes == figures.entries * 20)
        #expect(figures.evictions == figures.misses - figures.entries)
    }
}

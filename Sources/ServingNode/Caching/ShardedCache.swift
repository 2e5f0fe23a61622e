import Synchronization

/// What a cache did so far and holds now.
struct CacheFigures: Hashable, Sendable {
    var hits = 0
    var misses = 0
    var evictions = 0
    /// Bytes held, and the bound.
    var bytes = 0
    var capacity = 0
    var entries = 0
}

/// An ``S3FIFO`` that many tasks use at once: in shards, each behind a lock of its own.
final class ShardedCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private final class Shard: Sendable {
        let state: Mutex<(cache: S3FIFO<Key, Value>, hits: Int, misses: Int)>

        init(capacity: Int) { state = Mutex((S3FIFO(capacity: capacity), 0, 0)) }
    }

    private let shards: [Shard]

    /// - Parameters:
    ///   - bytes: bound of what all entries take together.
    ///   - shardCount: a power of two.
    init(bytes: Int, shardCount: Int = 16) {
        shards = (0..<shardCount).map { _ in Shard(capacity: bytes / shardCount) }
    }

    private func shard(_ key: Key) -> Shard {
        // Dictionaries use the low bits of the same hash.
        shards[(key.hashValue >> 32) & (shards.count - 1)]
    }

    /// A value, counted as a hit or a miss.
    func value(_ key: Key) -> Value? {
        shard(key).state.withLock { state in
            let value = state.cache.value(key)
            if value == nil { state.misses += 1 } else { state.hits += 1 }
            return value
        }
    }

    /// Keeps a value.
    ///
    /// - Parameter bytes: what key and value take.
    func insert(_ value: Value, for key: Key, bytes: Int) {
        shard(key).state.withLock { $0.cache.insert(value, for: key, cost: bytes) }
    }

    var figures: CacheFigures {
        shards.reduce(into: CacheFigures()) { sum, shard in
            shard.state.withLock { state in
                sum.hits += state.hits
                sum.misses += state.misses
                sum.evictions += state.cache.evictions
                sum.bytes += state.cache.cost
                sum.capacity += state.cache.capacity
                sum.entries += state.cache.count
            }
        }
    }
}

import Synchronization

/// Counts of values below fixed bounds, as Prometheus has them.
final class Histogram: Sendable {
    /// What was counted so far.
    struct Counts: Sendable {
        /// Values in each bucket, the last one without a bound; not added up.
        var buckets: [UInt64]
        var sum = 0.0

        var total: UInt64 { buckets.reduce(0, +) }
    }

    /// Upper bounds of the buckets, ascending.
    let bounds: [Double]
    private let state: Mutex<Counts>

    init(bounds: [Double]) {
        self.bounds = bounds
        state = Mutex(Counts(buckets: [UInt64](repeating: 0, count: bounds.count + 1)))
    }

    /// Seconds, from a tenth of a millisecond to ten seconds.
    static func latency() -> Histogram {
        Histogram(bounds: [
            0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
        ])
    }

    /// Rows, by powers of four.
    static func rows() -> Histogram { Histogram(bounds: (0...8).map { Double(1 << (2 * $0)) }) }

    var counts: Counts { state.withLock { $0 } }

    func record(_ value: Double) {
        let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
        state.withLock { counts in
            counts.buckets[bucket] += 1
            counts.sum += value
        }
    }

    /// Records the time since an instant, in seconds.
    func record(since start: ContinuousClock.Instant) {
        record((ContinuousClock.now - start) / .seconds(1))
    }
}

/// Counts by a word, such as how a call ended.
final class Tally<Word: Hashable & Sendable>: Sendable {
    private let state = Mutex<[Word: Int]>([:])

    var counts: [Word: Int] { state.withLock { $0 } }

    func add(_ word: Word, _ count: Int = 1) { state.withLock { $0[word, default: 0] += count } }
}

import Synchronization

/// The cache and latency figures that a node reports to the registry: of the time since its last report, so that a
/// change shows.
final class ReportedFigures: Sendable {
    private struct Counted: Sendable {
        var requests: [Int: Int]
        var latency: Histogram.Counts
    }

    private let ensembles: [String: EnsembleServing]
    private let caches: RowCaches
    /// What was counted at the last report, by ensemble.
    private let last = Mutex<[String: Counted]>([:])

    init(_ ensembles: [EnsembleServing], caches: RowCaches) {
        self.ensembles = Dictionary(uniqueKeysWithValues: ensembles.map { ($0.served.name, $0) })
        self.caches = caches
    }

    /// Figures of an ensemble by name: `requests` and `failed_requests` (5xx), `latency_p50_ms` and `latency_p99_ms` of
    /// those answered, left out without any; and the node's caches since its start, `label_cache_hit_ratio` and
    /// `output_cache_hit_ratio`, left out before the first look.
    func take(_ ensemble: String) -> [String: Double] {
        guard let metrics = ensembles[ensemble]?.metrics else { return [:] }
        let now = Counted(requests: metrics.requests.counts, latency: metrics.latency.counts)
        let before = last.withLock { last in
            defer { last[ensemble] = now }
            return last[ensemble]
        }
        let requests = now.requests.merging(before?.requests ?? [:], uniquingKeysWith: -)
        var figures = [
            "requests": Double(requests.values.reduce(0, +)),
            "failed_requests": Double(requests.filter { $0.key >= 500 }.values.reduce(0, +)),
        ]
        let latency = before.map { now.latency.since($0.latency) } ?? now.latency
        for (name, share) in [("latency_p50_ms", 0.5), ("latency_p99_ms", 0.99)] {
            figures[name] = latency.quantile(share, bounds: metrics.latency.bounds).map { $0 * 1000 }
        }
        figures["label_cache_hit_ratio"] = caches.labels?.figures.hitRatio
        figures["output_cache_hit_ratio"] = caches.outputs?.figures.hitRatio
        return figures
    }
}

extension Histogram.Counts {
    /// What was counted after an earlier look.
    func since(_ earlier: Self) -> Self {
        Self(buckets: zip(buckets, earlier.buckets).map { $0 - $1 }, sum: sum - earlier.sum)
    }

    /// The value below which a share of the values lies, taken as evenly spread within a bucket, as Prometheus'
    /// `histogram_quantile` does; at most the last bound. Nil without values.
    func quantile(_ share: Double, bounds: [Double]) -> Double? {
        guard total > 0 else { return nil }
        let rank = share * Double(total)
        var below = 0.0
        for (index, bound) in bounds.enumerated() {
            let count = Double(buckets[index])
            if count > 0, below + count >= rank {
                let lower = index == 0 ? 0 : bounds[index - 1]
                return lower + (bound - lower) * (rank - below) / count
            }
            below += count
        }
        return bounds.last
    }
}

extension CacheFigures {
    /// Share of the rows looked for that were found; nil before the first.
    var hitRatio: Double? { hits + misses == 0 ? nil : Double(hits) / Double(hits + misses) }
}

import EnsembleModel
import ServiceLifecycle

/// Tells when most requests fail with what is served: a manifest can be sound and serve nobody, as when its new members
/// do not answer. The registry halts a rollout on that.
struct FailureWatch: Service {
    /// An ensemble's requests, and where it is told.
    struct Ensemble: Sendable {
        let metrics: EnsembleMetrics
        let status: FollowingStatus
    }

    let ensembles: [Ensemble]
    let limits: NodeLimits

    func run() async {
        await cancelWhenGracefulShutdown {
            var before = ensembles.map(\.metrics.requests.counts)
            while !Task.isCancelled {
                try? await Task.sleep(for: limits.failureWindow)  // Throws only when cancelled.
                look(since: &before)
            }
        }
    }

    /// Looks at the requests since the last look.
    func look(since before: inout [[Int: Int]]) {
        for (index, ensemble) in ensembles.enumerated() {
            let now = ensemble.metrics.requests.counts
            let counts = now.merging(before[index], uniquingKeysWith: -)
            before[index] = now
            let failed = counts.filter { $0.key >= 500 }.values.reduce(0, +)
            let all = counts.values.reduce(0, +)
            // A few say nothing, whichever way.
            guard all >= limits.failureRequests else { continue }
            let refusal = NodeReport.Refusal(
                stage: .runtime, code: "failing_requests",
                message: "\(failed) of \(all) requests failed within \(limits.failureWindow)")
            ensemble.status.update { $0.failure = failed * 2 > all ? $0.failure ?? refusal : nil }
        }
    }
}

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

    /// The manifest served at a look, and the requests counted by then.
    struct Look: Sendable {
        var running: ContentDigest?
        var requests: [Int: Int]
    }

    func run() async {
        await cancelWhenGracefulShutdown {
            var last = looks
            while !Task.isCancelled {
                try? await Task.sleep(for: limits.failureWindow)  // Throws only when cancelled.
                look(since: &last)
            }
        }
    }

    /// What a look begins from.
    var looks: [Look] {
        ensembles.map { Look(running: $0.status.running, requests: $0.metrics.requests.counts) }
    }

    /// Looks at the requests since an earlier look; those of too few are counted on, whatever they say.
    func look(since last: inout [Look]) {
        for (index, (ensemble, now)) in zip(ensembles, looks).enumerated() {
            let before = last[index]
            // Answers of another manifest's time say nothing of this one.
            guard let running = now.running, running == before.running else {
                last[index] = now
                continue
            }
            let counts = now.requests.merging(before.requests, uniquingKeysWith: -)
            let all = counts.values.reduce(0, +)
            guard all >= limits.failureRequests else { continue }
            last[index] = now
            let failed = counts.filter { $0.key >= 500 }.values.reduce(0, +)
            let refusal = NodeReport.Refusal(
                stage: .runtime, code: "failing_requests", message: "\(failed) of the last \(all) requests failed")
            ensemble.status.update { state in
                guard state.running?.sha256 == running else { return }
                state.failure = failed * 2 > all ? state.failure ?? refusal : nil
            }
        }
    }
}

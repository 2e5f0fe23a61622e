import EnsembleModel
import Foundation
import Logging
import RegistryStore
import ServiceLifecycle

/// Rolls manifests out further, or halts, as their nodes' reports say, until shutdown.
struct RolloutService: Service {
    let store: RegistryStore
    let interval: Duration
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var isFailing = false
            // Since when nodes can be heard.
            var hearing: ContinuousClock.Instant?
            while !Task.isCancelled {
                let since = hearing ?? .now
                let failure = await advance(isHearing: .now - since > .seconds(ManifestRollout.silence))
                // Once a row of failures.
                if let failure, !isFailing, !Task.isCancelled {
                    logger.error("Manifests could not be rolled out further", metadata: ["error": "\(failure)"])
                }
                isFailing = failure != nil
                hearing = isFailing ? nil : since
                try? await Task.sleep(for: interval)  // Throws only when cancelled.
            }
        }
    }

    /// The first thing that went wrong; the other ensembles' manifests go on all the same.
    private func advance(isHearing: Bool) async -> (any Error)? {
        var failure: (any Error)?
        do {
            for ensemble in try await store.ensemblesRollingOut() {
                do {
                    try await advance(ensemble, isHearing: isHearing)
                } catch {
                    failure = failure ?? error
                }
            }
        } catch {
            failure = error
        }
        return failure
    }

    private func advance(_ ensemble: String, isHearing: Bool) async throws {
        let now = Date()
        guard let rollout = try await store.advanceRollout(ensemble: ensemble, isHearing: isHearing, now: now) else {
            return
        }
        logger.log(
            level: rollout.state == .halted ? .error : .notice,
            rollout.state == .halted ? "A rollout has halted" : "A rollout goes on",
            metadata: [
                "ensemble": "\(ensemble)", "sequence": "\(rollout.sequence)", "state": "\(rollout.state.rawValue)",
                "share": "\(rollout.share)", "nodes": "\(rollout.nodes.reached)", "reason": "\(rollout.reason)",
            ])
    }
}

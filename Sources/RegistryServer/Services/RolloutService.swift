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
            while !Task.isCancelled {
                do {
                    for ensemble in try await store.ensemblesRollingOut() { try await advance(ensemble) }
                    isFailing = false
                } catch {
                    // Once a row of failures.
                    if !isFailing, !Task.isCancelled {
                        logger.error("Manifests could not be rolled out further", metadata: ["error": "\(error)"])
                    }
                    isFailing = true
                }
                try? await Task.sleep(for: interval)  // Throws only when cancelled.
            }
        }
    }

    private func advance(_ ensemble: String) async throws {
        guard let rollout = try await store.advanceRollout(ensemble: ensemble, now: Date()) else { return }
        logger.log(
            level: rollout.state == .halted ? .error : .notice,
            rollout.state == .halted ? "A rollout has halted" : "A rollout goes on",
            metadata: [
                "ensemble": "\(ensemble)", "sequence": "\(rollout.sequence)", "state": "\(rollout.state.rawValue)",
                "share": "\(rollout.share)", "nodes": "\(rollout.nodes.reached)", "reason": "\(rollout.reason)",
            ])
    }
}

import Foundation
import Logging
import RegistryStore
import ServiceLifecycle

/// Publishes what workers have stored: one transaction an outcome, until shutdown.
struct PublisherService: Service {
    let store: RegistryStore
    let interval: Duration
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                let published = await publishNext()
                if !published { try? await Task.sleep(for: interval) }
            }
        }
    }

    /// Publishes one outcome; false when there is none or it failed and is worth waiting for.
    private func publishNext() async -> Bool {
        do {
            guard let evaluation = try await store.nextEvaluated() else { return false }
            let publication = try await store.publish(evaluation: evaluation, now: Date())
            switch publication {
            case .published(let sequence):
                logger.info("Manifest published", metadata: ["evaluation": "\(evaluation)", "sequence": "\(sequence)"])
            case .decidedWithoutPromotion:
                logger.info("Submission decided", metadata: ["evaluation": "\(evaluation)"])
            case .requeued(let reason):
                logger.notice(
                    "Evaluation is repeated", metadata: ["evaluation": "\(evaluation)", "reason": "\(reason)"])
            case .gone:
                logger.debug("Another daemon published", metadata: ["evaluation": "\(evaluation)"])
            }
            return true
        } catch is CancellationError {
            return false
        } catch {
            logger.error("Publication failed", metadata: ["error": "\(error)"])
            return false
        }
    }
}

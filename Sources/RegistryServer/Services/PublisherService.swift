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
            let delays = BackoffDelays(first: interval, last: .seconds(5))
            var failures = 0
            var after: Int64 = 0
            while !Task.isCancelled {
                switch await publishNext(after: after) {
                case .published: failures = 0
                case .nothing:
                    // From the oldest again: what failed before may work now.
                    after = 0
                    try? await Task.sleep(for: delays.delay(afterFailures: failures))  // Throws only when cancelled.
                case .failed(let evaluation):
                    // One outcome that cannot be published must not hold up the others.
                    after = evaluation ?? 0
                    failures += 1
                    if evaluation == nil { try? await Task.sleep(for: delays.delay(afterFailures: failures)) }
                }
            }
        }
    }

    private enum Step {
        case published
        case nothing
        /// The evaluation whose publication failed; nil when the database could not even be asked.
        case failed(Int64?)
    }

    private func publishNext(after: Int64) async -> Step {
        var next: Int64?
        do {
            guard let evaluation = try await store.nextEvaluated(after: after) else { return .nothing }
            next = evaluation
            let publication = try await store.publish(evaluation: evaluation, now: Date())
            switch publication {
            case .published(let sequence):
                logger.info("Manifest published", metadata: ["evaluation": "\(evaluation)", "sequence": "\(sequence)"])
            case .decidedWithoutPromotion:
                logger.info("Submission decided", metadata: ["evaluation": "\(evaluation)"])
            case .awaitsApproval(let decision):
                logger.notice(
                    "A promotion waits for approval",
                    metadata: ["evaluation": "\(evaluation)", "decision": "\(decision)"])
            case .requeued(let reason):
                logger.notice(
                    "Evaluation is repeated", metadata: ["evaluation": "\(evaluation)", "reason": "\(reason)"])
            case .gone:
                logger.debug("Another daemon published", metadata: ["evaluation": "\(evaluation)"])
            }
            return .published
        } catch is CancellationError {
            return .nothing
        } catch {
            logger.error(
                "Publication failed", metadata: ["evaluation": "\(next.map(String.init) ?? "-")", "error": "\(error)"])
            return .failed(next)
        }
    }
}

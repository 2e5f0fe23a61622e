import Foundation
import Logging
import RegistryStore
import ServiceLifecycle
import Trust

/// Signs again what is about to expire, or is signed with keys of an older root, until shutdown.
struct RenewalService: Service {
    let store: RegistryStore
    let signer: DaemonSigner
    let keys: DaemonKeys
    let interval: Duration
    let logger: Logger

    private static let ages = {
        let periods = ExpiryPeriods()
        return RenewalAges(
            targetsAndSnapshot: min(periods.targets, periods.snapshot) / 2, timestamp: periods.timestampRenewal)
    }()

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var isFailing = false
            while !Task.isCancelled {
                let failure = await self.renew()
                // Once a row of failures.
                if let failure, !isFailing, !Task.isCancelled {
                    self.logger.error("Metadata could not be renewed", metadata: ["error": "\(failure)"])
                }
                isFailing = failure != nil
                try? await Task.sleep(for: self.interval)  // Throws only when cancelled.
            }
        }
    }

    /// The first thing that went wrong; the other ensembles are renewed all the same.
    private func renew() async -> (any Error)? {
        var failure: (any Error)?
        do {
            if let root = try await store.root(), root.version > signer.rootVersion {
                signer.use(root: root, keys: try keys.signingKeys())
                logger.notice("Signing under a new root", metadata: ["version": "\(root.version)"])
            }
            let now = Date()
            for ensemble in try await store.ensemblesToSign(Self.ages, now: now) {
                do {
                    try await store.renewMetadata(ensemble: ensemble, Self.ages, now: now)
                } catch {
                    failure = failure ?? error
                }
            }
        } catch {
            failure = error
        }
        return failure
    }
}

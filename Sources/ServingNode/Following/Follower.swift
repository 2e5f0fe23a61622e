import EnsembleModel
import Logging
import RegistryAPI
import RegistryClient
import ServiceLifecycle

/// Follows one ensemble: fetches what the registry publishes, checks it, keeps it on disk, then serves it.
actor Follower: Service {
    /// What a poll came to.
    enum Outcome: Sendable {
        /// The registry has what is served, or what was refused before.
        case unchanged
        /// A newer manifest is served.
        case activated(sequence: Int)
        /// The registry's newest manifest will not be served; it is not fetched again until it changes.
        case refused(NodeError)
        /// No answer was had this time.
        case failed(NodeError)
    }

    private let served: ServedEnsemble
    private let slots: EnsembleSlots
    private let client: RegistryClient
    private let limits: NodeLimits
    private let logger: Logger
    private var schedule: PollSchedule
    private var refused: ContentDigest?

    init(
        _ served: ServedEnsemble, slots: EnsembleSlots, client: RegistryClient, interval: Duration, limits: NodeLimits,
        logger: Logger
    ) {
        self.served = served
        self.slots = slots
        self.client = client
        self.limits = limits
        self.logger = logger
        schedule = PollSchedule(interval: interval, longestBackoff: limits.longestBackoff)
    }

    /// Polls until a graceful shutdown.
    func run() async {
        await cancelWhenGracefulShutdown {
            await self.pollUntilCancelled()
        }
    }

    private func pollUntilCancelled() async {
        var generator = SystemRandomNumberGenerator()
        while !Task.isCancelled {
            var isFailure = false
            // A registry without a champion works: looking for the first one keeps its pace.
            if case .failed(let error) = await poll() { isFailure = error.code != .nothingPublished }
            let delay = schedule.delay(afterFailure: isFailure, using: &generator)
            // Only the shutdown ends a pause early, and the loop sees that for itself.
            try? await Task.sleep(for: delay)
        }
    }

    /// Looks at the registry once. Never throws: whatever happens, the node goes on serving what it has.
    func poll() async -> Outcome {
        do {
            let known = refused ?? served.current?.document.digest
            guard let received = try await client.manifestBytes(ensemble: served.name, ifNoneMatch: known) else {
                return .unchanged
            }
            if received.digest == refused { return .unchanged }
            refused = nil
            if received.digest == served.current?.document.digest { return .unchanged }
            return try await take(received)
        } catch {
            return failed(error)
        }
    }

    private func take(_ received: ManifestBytes) async throws -> Outcome {
        do {
            let old = served.current?.document
            let document = try ManifestDocument(bytes: received.bytes, ensemble: served.name, limits: limits)
            if let old { try document.checkFollows(old) }
            let reference = document.manifest.combiner
            let text =
                if let kept = slots.combiner(reference.sha256) { kept } else {
                    try await client.combiner(reference.sha256, maximumBytes: reference.bytes)
                }
            let new = try LoadedEnsemble(document, combinerText: text, limits: limits)
            try slots.save(document, combinerText: text, replacing: old)
            served.activate(new)
            logger.notice(
                "Serving a new manifest",
                metadata: [
                    "generation": "\(new.manifest.generation)", "sequence": "\(new.manifest.sequence)",
                    "sha256": "\(document.digest)",
                    "content_id": "\(new.manifest.contentID)", "reason": "\(new.manifest.reason.rawValue)",
                    "members": "\(new.tensorNames.joined(separator: ","))",
                ])
            return .activated(sequence: new.manifest.sequence)
        } catch let error as NodeError where error.refusesContent {
            refused = received.digest
            logger.error(
                "Refused a manifest",
                metadata: ["sha256": "\(received.digest)", "code": "\(error.code.rawValue)", "reason": "\(error)"])
            return .refused(error)
        }
    }

    private func failed(_ error: any Error) -> Outcome {
        let failure: NodeError
        switch error {
        case let error as NodeError: failure = error
        case let error as RegistryClientError where error.problem?.code == .notFounded:
            failure = NodeError(.nothingPublished, error.message)
        case let error as RegistryClientError:
            failure = NodeError(.registryUnavailable, error.message, cause: error.cause)
        default: failure = NodeError(.registryUnavailable, "the registry could not be asked", cause: error)
        }
        if !Task.isCancelled {
            logger.warning("Could not follow", metadata: ["code": "\(failure.code.rawValue)", "reason": "\(failure)"])
        }
        return .failed(failure)
    }
}

extension NodeError {
    /// Whether the published content itself is at fault, so that fetching it again cannot help.
    fileprivate var refusesContent: Bool {
        switch code {
        case .invalidManifest, .rollback, .equivocation, .invalidCombiner: true
        default: false
        }
    }
}

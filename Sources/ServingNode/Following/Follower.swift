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
    /// Makes a champion ready that is about to be served.
    private let warm: @Sendable (LoadedEnsemble) async -> Void
    private var schedule: PollSchedule
    private var refused: ContentDigest?
    private var faults: FaultSeries

    init(
        _ served: ServedEnsemble, slots: EnsembleSlots, client: RegistryClient, interval: Duration, limits: NodeLimits,
        logger: Logger, warm: @escaping @Sendable (LoadedEnsemble) async -> Void = { _ in }
    ) {
        self.served = served
        self.slots = slots
        self.client = client
        self.limits = limits
        self.logger = logger
        self.warm = warm
        faults = FaultSeries(interval: limits.faultLogInterval)
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
            let outcome = try await look()
            if let fault = faults.end() {
                logger.notice("Following again", metadata: ["after": "\(fault.rawValue)"])
            }
            return outcome
        } catch {
            return failed(error)
        }
    }

    private func look() async throws -> Outcome {
        let known = refused ?? served.current?.document.digest
        guard let received = try await client.manifestBytes(ensemble: served.name, ifNoneMatch: known) else {
            return .unchanged
        }
        if received.digest == refused { return .unchanged }
        refused = nil
        if received.digest == served.current?.document.digest { return .unchanged }
        return try await take(received)
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
            await warm(new)
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
        let failure = NodeError(following: served.name, error)
        if !Task.isCancelled, faults.shouldLog(failure.code, at: .now) {
            logger.warning("Could not follow", metadata: ["code": "\(failure.code.rawValue)", "reason": "\(failure)"])
        }
        return .failed(failure)
    }
}

extension NodeError {
    /// Why an ensemble could not be followed this time.
    fileprivate init(following ensemble: String, _ error: any Error) {
        switch (error, (error as? RegistryClientError)?.problem?.code) {
        case (let error as NodeError, _): self = error
        case (let error as RegistryClientError, .notFounded): self.init(.nothingPublished, error.message)
        case (let error as RegistryClientError, .unauthenticated), (let error as RegistryClientError, .forbidden):
            self.init(
                .tokenRefused,
                "the registry refuses this node's token: \(error.message); make one with "
                    + "'registry tokens create NAME --scope node' and give it with --token-file or REGISTRY_TOKEN")
        case (is RegistryClientError, .ensembleNotFound):
            self.init(
                .unknownEnsemble,
                "the registry has no ensemble '\(ensemble)': check --ensemble and --registry, or create it with "
                    + "'registry ensembles create'")
        case (let error as RegistryClientError, _):
            self.init(.registryUnavailable, error.message, cause: error.cause)
        default: self.init(.registryUnavailable, "the registry could not be asked", cause: error)
        }
    }

    /// Whether the published content itself is at fault, so that fetching it again cannot help.
    fileprivate var refusesContent: Bool {
        switch code {
        case .invalidManifest, .rollback, .equivocation, .invalidCombiner: true
        default: false
        }
    }
}

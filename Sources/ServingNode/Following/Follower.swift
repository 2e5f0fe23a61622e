import EnsembleModel
import Foundation
import Logging
import RegistryClient
import ServiceLifecycle
import Trust

/// Follows one ensemble: fetches what the registry publishes, verifies it, keeps it on disk, then serves it.
actor Follower: Service {
    /// What a poll came to.
    enum Outcome: Sendable {
        /// The registry's newest manifest is served, or stays unserved for the reason known.
        case unchanged(Selection.Decision)
        /// A newer manifest is served.
        case activated(sequence: Int)
        /// The registry's newest manifest will not be served; it is not fetched again until it changes.
        case refused(Setback)
        /// This time it did not work.
        case failed(Setback)
    }

    /// How a follower goes about it.
    struct Settings: Sendable {
        /// The node's id.
        var node: String
        /// A sequence to stay at.
        var pin: Int?
        /// How long the registry is asked to hold its answer.
        var wait: Duration = .zero
        var limits = NodeLimits()
        var now: @Sendable () -> Date = { Date() }
        /// Prepares for a new champion, e.g. fills its caches, while the old one still answers.
        var warm: @Sendable (LoadedEnsemble) async throws -> Void = { _ in }
    }

    private struct Seen {
        var position: ManifestPosition
        /// The share of the nodes that it had reached, where this node was not among them: it waits for a larger one.
        var rollout: Int?
    }

    private let served: ServedEnsemble
    private let slots: EnsembleSlots
    private let client: RegistryClient
    private let settings: Settings
    private let status: FollowingStatus
    private let logger: Logger
    private var trusted: StoredMetadata
    /// The slot of what is served.
    private var running: Slot?
    private var refused: RefusedManifest?
    private var summary: TrustSummary
    /// The newest manifest known and dealt with: the registry answers when it has another.
    private var seen: Seen?
    private var schedule: PollSchedule
    private var faults: FaultSeries

    /// - Parameters:
    ///   - served: serves `start`'s slot already, if there is one.
    ///   - start: what was found on disk.
    init(
        _ served: ServedEnsemble, start: FollowingStart, slots: EnsembleSlots, client: RegistryClient,
        settings: Settings, status: FollowingStatus, logger: Logger
    ) {
        self.served = served
        self.slots = slots
        self.client = client
        self.settings = settings
        self.status = status
        self.logger = logger
        trusted = start.trusted
        running = start.loaded?.slot
        refused = start.refused
        summary = start.summary
        faults = FaultSeries(interval: settings.limits.faultLogInterval)
        schedule = PollSchedule(
            interval: settings.limits.pollInterval, longestBackoff: settings.limits.longestBackoff)
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
            let start = ContinuousClock.now
            var isFailure = false
            // A registry without a champion works: looking for the first one keeps its pace.
            if case .failed(let setback) = await poll() {
                isFailure = setback.code != NodeError.Code.nothingPublished.rawValue
            }
            let delay = schedule.delay(
                afterFailure: isFailure, elapsed: ContinuousClock.now - start, using: &generator)
            // Only the shutdown ends a pause early, and the loop sees that for itself.
            try? await Task.sleep(for: delay)
        }
    }

    /// Looks at the registry once. Never throws: whatever happens, the node goes on serving what it has.
    func poll() async -> Outcome {
        let wasStale = summary.isStale(now: settings.now())
        let outcome = await look()
        let isStale = summary.isStale(now: settings.now())
        if isStale != wasStale {
            logger.log(
                level: isStale ? .warning : .notice,
                isStale ? "Trusted metadata has expired; serving goes on" : "Trusted metadata is fresh")
        }
        switch outcome {
        case .unchanged, .activated:
            if let fault = faults.end() { logger.notice("Following again", metadata: ["after": "\(fault)"]) }
        case .refused: break
        case .failed(let setback):
            if !Task.isCancelled, faults.shouldLog(setback.code, at: .now) {
                logger.warning(
                    "Could not follow",
                    metadata: [
                        "stage": "\(setback.stage.rawValue)", "code": "\(setback.code)",
                        "reason": "\(setback.message)",
                    ])
            }
        }
        return outcome
    }

    private func look() async -> Outcome {
        let known = seen
        // After a failure the registry is asked for an answer at once.
        seen = nil
        do {
            let timestamp = try await client.timestamp(
                ensemble: served.name, after: known?.position.description, rollout: known?.rollout,
                wait: settings.wait, maximumBytes: TrustLimits().timestampBytes)
            return try await follow(timestamp)
        } catch {
            let setback = Setback(.verify, ensemble: served.name, error)
            if setback.isRefusal, !Task.isCancelled { status.update { $0.refusal = setback.refusal } }
            return .failed(setback)
        }
    }

    private func follow(_ timestamp: [UInt8]) async throws -> Outcome {
        let selection = Selection(
            ensemble: served.name, node: settings.node, pin: settings.pin, served: running?.document, known: summary,
            refused: refused)
        var run = UpdateRun(
            selection, from: trusted.trusted, timestamp: timestamp, client: client, slots: slots,
            limits: settings.limits, now: settings.now, logger: logger)
        do {
            let update = try await run.run()
            let outcome = try await finish(update, run)
            seen = update.timestamp.position.map {
                Seen(position: $0, rollout: run.decision == .notYet ? update.timestamp.rollout : nil)
            }
            return outcome
        } catch let setback as Setback {
            // New roots count even if what they sign does not follow.
            try trust(run.trusted)
            if let newest = run.newest {
                status.update { $0.attempted = newest }
                if setback.refusesContent { return refuse(newest, setback) }
            }
            throw setback
        }
    }

    private func finish(_ update: UpdateCycle.Update, _ run: UpdateRun) async throws -> Outcome {
        switch run.decision {
        case .refused(let manifest):
            // Metadata that contradicts what is known is not trusted.
            if manifest.refusal.stage != .verify { try trust(update.trusted) }
            status.update { $0.refusal = manifest.refusal }
            return .unchanged(.refused(manifest))
        case .take:
            guard let manifest = run.manifest else { throw NodeError(.untrusted, "the update has no manifest") }
            do {
                return try await take(manifest, update)
            } catch let setback as Setback where setback.stage == .load {
                // This node cannot serve it; that it was signed is beyond doubt.
                try trust(update.trusted)
                throw setback
            }
        case .some(let decision):
            try trust(update.trusted)
            status.update { $0.refusal = nil }
            return .unchanged(decision)
        case nil: throw NodeError(.untrusted, "the update says nothing of a manifest")
        }
    }

    private func take(_ bytes: [UInt8], _ update: UpdateCycle.Update) async throws -> Outcome {
        let document = try at(.load) {
            try ManifestDocument(bytes: bytes, ensemble: served.name, limits: settings.limits)
        }
        try at(.verify) {
            try document.check(position: update.timestamp.position)
            if let running { try document.checkFollows(running.document) }
        }
        let new = try at(.load) { try load(document, update.targets) }
        do {
            try await settings.warm(new)
        } catch {
            throw Setback(.warm, ensemble: served.name, error)
        }
        try trust(update.trusted)
        let slot = Slot(metadata: try StoredMetadata(update.trusted), document: document)
        try at(.download) { try slots.save(slot, replacing: running) }
        served.activate(new)
        running = slot
        status.update { state in
            state.running = document.running
            state.attempted = document.digest
            state.refusal = nil
            state.failure = nil
        }
        logger.notice(
            "Serving a new manifest",
            metadata: [
                "generation": "\(new.manifest.generation)", "sequence": "\(new.manifest.sequence)",
                "sha256": "\(document.digest)",
                "content_id": "\(new.manifest.contentID)", "reason": "\(new.manifest.reason.rawValue)",
                "members": "\(new.tensorNames.joined(separator: ","))",
            ])
        return .activated(sequence: new.manifest.sequence)
    }

    private func load(_ document: ManifestDocument, _ targets: Targets) throws(NodeError) -> LoadedEnsemble {
        let combiner = document.manifest.combiner
        let path = Targets.combinerPath(served.name)
        guard targets.files.contains(where: { $0.path == path && $0.sha256 == combiner.sha256 }) else {
            throw NodeError(.invalidManifest, "the signed targets have another \(path) than the manifest")
        }
        guard let text = slots.combiner(combiner.sha256) else {
            throw NodeError(.damagedState, "the combiner \(combiner.sha256) was downloaded but cannot be read")
        }
        return try LoadedEnsemble(document, combinerText: text, limits: settings.limits)
    }

    /// Keeps verified metadata, in memory even when the disk does not take it.
    private func trust(_ metadata: TrustedMetadata) throws {
        let stored = try StoredMetadata(metadata)
        guard stored != trusted else { return }
        trusted = stored
        summary = TrustSummary(stored.trusted, ensemble: served.name, now: settings.now())
        let summary = summary
        status.update { $0.trust = summary }
        try at(.download) { try slots.save(stored) }
    }

    private func refuse(_ digest: ContentDigest, _ setback: Setback) -> Outcome {
        let manifest = RefusedManifest(digest: digest, program: ServingNode.version, refusal: setback.refusal)
        refused = manifest
        status.update { state in
            state.attempted = digest
            state.refusal = setback.refusal
        }
        logger.error(
            "Refused a manifest",
            metadata: [
                "sha256": "\(digest)", "stage": "\(setback.stage.rawValue)", "code": "\(setback.code)",
                "reason": "\(setback.message)",
            ])
        do {
            try slots.save(manifest)
        } catch {
            logger.warning("The refusal is not kept: a restart tries again", metadata: ["reason": "\(error)"])
        }
        return .refused(setback)
    }

    /// Says where a failure happened.
    private func at<Result>(_ stage: NodeReport.Stage, _ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch {
            throw Setback(stage, ensemble: served.name, error)
        }
    }
}

extension ManifestDocument {
    /// As reports name it.
    var running: NodeReport.Running {
        NodeReport.Running(generation: manifest.generation, sequence: manifest.sequence, sha256: digest)
    }
}

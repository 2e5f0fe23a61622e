public import Boosting
import EnsembleModel
import Evaluation
import Foundation
public import Logging
public import RegistryStore
public import ServiceLifecycle

/// Claims queued evaluations and carries them out, one at a time, until shutdown.
///
/// The computation runs on a thread of its own; meanwhile the lease is kept alive and the progress written. A worker
/// that loses its lease (it was thought dead) stops and drops its result: the fence token would refuse it anyway.
public struct EvaluationWorker: Service {
    /// How a worker works.
    public struct Configuration: Sendable {
        /// Name under which it holds leases.
        public var name: String
        /// Threads it computes with.
        public var threads: Int
        /// How long a claim holds without a heartbeat.
        public var lease = Duration.seconds(30)
        /// Time between heartbeats.
        public var heartbeat = Duration.seconds(10)
        /// Shortest time between two writes of the progress.
        public var progressInterval = Duration.milliseconds(250)
        /// How long a worker waits after the database could not be asked.
        public var retryInterval = Duration.seconds(2)
        /// How often an idle worker looks for work.
        public var pollInterval = Duration.milliseconds(100)
        /// Most memory for predictions kept between evaluations, in bytes.
        public var cacheBytes = 1 << 30
        /// Most memory for cross-fitted sets kept between evaluations, in bytes.
        public var fitCacheBytes = 256 << 20

        /// Creates a configuration.
        public init(name: String, threads: Int) {
            self.name = name
            self.threads = threads
        }
    }

    private let store: RegistryStore
    private let library: LightGBM
    private let configuration: Configuration
    private let inputs: InputCache
    private let fits: FitCache
    private let logger: Logger

    /// Creates a worker.
    public init(store: RegistryStore, library: LightGBM, configuration: Configuration, logger: Logger) {
        self.store = store
        self.library = library
        self.configuration = configuration
        inputs = InputCache(store: store, capacityBytes: configuration.cacheBytes)
        fits = FitCache(capacityBytes: configuration.fitCacheBytes)
        var logger = logger
        logger[metadataKey: "worker"] = "\(configuration.name)"
        self.logger = logger
    }

    /// Works until a graceful shutdown begins; work in hand is given back.
    public func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                let worked = await workOnce()
                if !worked { try? await Task.sleep(for: configuration.pollInterval) }  // Throws only when cancelled.
            }
        }
    }

    /// Claims and carries out one evaluation.
    ///
    /// - Returns: False when there was nothing to do, or the database could not be asked.
    public func workOnce() async -> Bool {
        let claim: RegistryStore.Claim
        do {
            guard let next = try await store.claim(worker: configuration.name, lease: configuration.lease) else {
                return false
            }
            claim = next
        } catch {
            if !Task.isCancelled { logger.error("No work could be claimed", metadata: ["error": "\(error)"]) }
            try? await Task.sleep(for: configuration.retryInterval)  // Throws only when cancelled.
            return false
        }
        var logger = logger
        logger[metadataKey: "evaluation"] = "\(claim.evaluation)"
        logger.info("Evaluation began", metadata: ["ensemble": "\(claim.ensemble)", "attempt": "\(claim.attempt)"])
        do {
            try await carryOut(claim, logger: logger)
        } catch {
            await giveBack(claim, after: error, logger: logger)
        }
        return true
    }

    private func carryOut(_ claim: RegistryStore.Claim, logger: Logger) async throws {
        let began = ContinuousClock.now
        let outcome = try await withLease(claim) { board in
            let request = try await inputs.request(for: claim)
            // A replay computes everything itself.
            let fits = claim.replays == nil ? fits : FitCache(capacityBytes: 0)
            return try await ComputeThread.run {
                try Evaluator(library: library, threads: configuration.threads, cache: fits)
                    .evaluate(request, progress: board.post, isCancelled: board.isStopped)
            }
        }
        let seconds = (ContinuousClock.now - began) / .seconds(1)
        // Minutes of work must not be lost to a moment without a database; the fence token keeps the repetition safe.
        try await patiently(logger) {
            if let decision = claim.replays {
                try await store.completeReplay(
                    claim, of: decision, outcome: outcome, worker: configuration.name,
                    programVersion: ProgramVersion.current, seconds: seconds)
            } else {
                try await store.complete(
                    claim, outcome: outcome, worker: configuration.name, programVersion: ProgramVersion.current,
                    seconds: seconds)
            }
        }
        logger.info("Evaluation ended", metadata: ["verdict": "\(outcome.verdict.rawValue)", "seconds": "\(seconds)"])
    }

    /// Repeats a write while the database is away, for as long as a lease lasts.
    private func patiently(_ logger: Logger, _ write: () async throws -> Void) async throws {
        let deadline = ContinuousClock.now + configuration.lease
        while true {
            do {
                return try await write()
            } catch let error as StoreError where error.code == .databaseUnavailable && .now < deadline {
                logger.warning("The database is away; trying again", metadata: ["error": "\(error)"])
                try await Task.sleep(for: .seconds(1))
            }
        }
    }

    /// Runs an evaluation while a task keeps the lease.
    private func withLease(
        _ claim: RegistryStore.Claim, compute: @escaping @Sendable (ProgressBoard) async throws -> EvaluationOutcome
    ) async throws -> EvaluationOutcome {
        let board = ProgressBoard()
        return try await withThrowingTaskGroup(of: EvaluationOutcome?.self) { group in
            group.addTask {
                try await withTaskCancellationHandler {
                    try await compute(board)
                } onCancel: {
                    board.requestStop()
                }
            }
            group.addTask {
                try await keepLease(claim, board: board)
                return nil
            }
            defer { group.cancelAll() }
            while let result = try await group.next() {
                if let result { return result }
            }
            throw CancellationError()
        }
    }

    private func keepLease(_ claim: RegistryStore.Claim, board: ProgressBoard) async throws {
        var written: EvaluationProgress?
        var beat = ContinuousClock.now
        while !Task.isCancelled {
            let progress = board.newest
            if progress != written || ContinuousClock.now - beat >= configuration.heartbeat {
                do {
                    try await store.heartbeat(claim, progress: progress, lease: configuration.lease)
                    written = progress
                    beat = ContinuousClock.now
                } catch let error as StoreError
                    where error.code == .databaseUnavailable && .now - beat < configuration.lease
                {
                    // The lease still holds; the next beat may get through.
                    logger.warning("A heartbeat was missed", metadata: ["error": "\(error)"])
                }
            }
            try await Task.sleep(for: configuration.progressInterval)
        }
    }

    /// Tells the registry that this attempt ended without a result.
    private func giveBack(_ claim: RegistryStore.Claim, after error: any Error, logger: Logger) async {
        if let error = error as? StoreError, error.code == .leaseLost {
            logger.warning("Lease lost; the result is dropped")
            return
        }
        let stopped = Task.isCancelled
        // The shutdown has cancelled this task; what must still be written runs outside it.
        let report = Task {
            if stopped {
                try await store.release(claim)
            } else {
                try await store.fail(claim, reason: Self.reason(error), retryable: !(error is EvaluationError))
            }
        }
        do {
            try await report.value
            logger.warning("Evaluation given back", metadata: ["stopped": "\(stopped)", "error": "\(error)"])
        } catch {
            logger.error("Evaluation could not be given back; its lease will expire", metadata: ["error": "\(error)"])
        }
    }

    /// What submitters are told: errors of the evaluation in words, others by kind only.
    private static func reason(_ error: any Error) -> String {
        switch error {
        case let error as EvaluationError: error.message
        case let error as BoostingError: error.message
        case let error as StoreError: error.message
        default: "the worker failed: \(type(of: error))"
        }
    }
}

import EnsembleModel
import Foundation
import Logging
import RegistryAPI
import RegistryClient
import ServiceLifecycle

/// Tells the registry where this node stands: on every change, and now and then.
struct StatusReporter: Service {
    let node: String
    let client: RegistryClient
    let limits: NodeLimits
    let logger: Logger
    let statuses: [FollowingStatus]
    let changes: ChangeSignal
    /// Cache and latency figures of an ensemble, by name.
    var figures: @Sendable (_ ensemble: String) -> [String: Double] = { _ in [:] }
    var now: @Sendable () -> Date = { Date() }

    /// Reports until a graceful shutdown.
    func run() async {
        await cancelWhenGracefulShutdown {
            await withTaskGroup { group in
                group.addTask { await tick() }
                group.addTask { await report() }
            }
        }
    }

    /// A change a minute, so that the registry knows that the node is there.
    private func tick() async {
        var generator = SystemRandomNumberGenerator()
        var schedule = PollSchedule(interval: limits.reportInterval, longestBackoff: limits.longestBackoff)
        while !Task.isCancelled {
            changes.send()
            // Only the shutdown ends a pause early, and the loop sees that for itself.
            try? await Task.sleep(for: schedule.delay(afterFailure: false, using: &generator))
        }
    }

    private func report() async {
        var generator = SystemRandomNumberGenerator()
        var schedule = PollSchedule(interval: .zero, longestBackoff: limits.longestBackoff)
        var faults = FaultSeries(interval: limits.faultLogInterval)
        for await _ in changes.stream {
            while !Task.isCancelled {
                let error = await send()
                if error == nil, let fault = faults.end() {
                    logger.notice("Reporting again", metadata: ["after": "\(fault)"])
                }
                let delay = schedule.delay(afterFailure: error != nil, using: &generator)
                guard let error else { break }
                let setback = Setback(.verify, ensemble: "", error)
                if !Task.isCancelled, faults.shouldLog(setback.code, at: .now) {
                    logger.warning(
                        "Could not report", metadata: ["code": "\(setback.code)", "reason": "\(setback.message)"])
                }
                try? await Task.sleep(for: delay)
            }
        }
    }

    /// Sends what is true now, once.
    ///
    /// - Returns: why it did not arrive; nil when it did.
    func send() async -> (any Error)? {
        do {
            let reports = statuses.map { $0.report(now: now(), figures: figures($0.ensemble)) }
            try await client.reportStatus(node: node, NodeStatusRequest(ensembles: reports))
            return nil
        } catch {
            return error
        }
    }
}

/// That something changed: several changes that nobody has looked at are one.
struct ChangeSignal: Sendable {
    let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init() {
        (stream, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    func send() { continuation.yield() }
}

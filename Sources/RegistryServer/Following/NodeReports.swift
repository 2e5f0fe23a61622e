import EnsembleModel
import Foundation
import Logging
import RegistryAPI
import RegistryStore
import ServiceLifecycle
import Synchronization

/// Writes down what nodes report: all that came since the last time in one statement, however many nodes there are.
///
/// A report is answered when it is committed.
final class NodeReports: Service {
    private typealias Waiting = CheckedContinuation<Bool, Never>

    private struct Key: Hashable {
        let node: String
        let ensemble: String
    }

    private struct State {
        /// The newest of each node and ensemble.
        var reports: [Key: NodeReport] = [:]
        var waiting: [Waiting] = []
        var isEnding = false
    }

    private let store: RegistryStore
    private let limits: DaemonLimits
    private let logger: Logger
    private let state = Mutex(State())

    init(store: RegistryStore, limits: DaemonLimits, logger: Logger) {
        self.store = store
        self.limits = limits
        self.logger = logger
    }

    /// Keeps what a node says, until it is committed.
    ///
    /// - Throws: ``Problem`` `busy` when too many wait or the database does not take it.
    func keep(_ reports: [NodeReport], of node: String) async throws {
        let isKept = await withCheckedContinuation { (waiting: Waiting) in
            let isTaken = state.withLock { state in
                guard !state.isEnding, state.reports.count + reports.count <= limits.waitingReports else {
                    return false
                }
                for report in reports { state.reports[Key(node: node, ensemble: report.ensemble)] = report }
                state.waiting.append(waiting)
                return true
            }
            if !isTaken { waiting.resume(returning: false) }
        }
        guard isKept else { throw Problem(.busy, detail: "the report was not kept; send it again later") }
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                await self.write()
                try? await Task.sleep(for: self.limits.reportInterval)  // Throws only when cancelled.
            }
        }
        await write()
        state.withLock { $0.isEnding = true }
        await write()
    }

    private func write() async {
        let (reports, waiting) = state.withLock { state in
            defer { (state.reports, state.waiting) = ([:], []) }
            return (state.reports, state.waiting)
        }
        guard !waiting.isEmpty else { return }
        var isKept = true
        do {
            try await store.report(reports.map { .init(node: $0.key.node, report: $0.value) }, now: Date())
        } catch {
            logger.warning(
                "Reports of nodes could not be written", metadata: ["count": "\(reports.count)", "error": "\(error)"])
            isKept = false
        }
        for waiting in waiting { waiting.resume(returning: isKept) }
    }
}

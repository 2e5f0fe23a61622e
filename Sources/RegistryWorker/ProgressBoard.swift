import EnsembleModel
import Synchronization

/// Where a computing thread posts its progress and learns that it should stop.
final class ProgressBoard: Sendable {
    private let state = Mutex((progress: EvaluationProgress(phase: "load", completed: 0, total: 1), stopped: false))

    /// What was posted last.
    var newest: EvaluationProgress { state.withLock { $0.progress } }

    /// Posts progress.
    func post(_ progress: EvaluationProgress) {
        state.withLock { $0.progress = progress }
    }

    /// Whether the computation should stop.
    func isStopped() -> Bool { state.withLock { $0.stopped } }

    /// Asks the computation to stop.
    func requestStop() {
        state.withLock { $0.stopped = true }
    }
}

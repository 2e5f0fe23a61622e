import EnsembleModel

/// What the caller gave to watch and stop an evaluation.
final class Monitor {
    private let report: (EvaluationProgress) -> Void
    private let isCancelled: () -> Bool
    private var progress = EvaluationProgress(phase: "", completed: 0, total: 0)

    init(report: @escaping (EvaluationProgress) -> Void, isCancelled: @escaping () -> Bool) {
        self.report = report
        self.isCancelled = isCancelled
    }

    /// Begins a phase of at most `total` fits.
    func begin(_ phase: String, total: Int) {
        progress = EvaluationProgress(phase: phase, completed: 0, total: total)
        report(progress)
    }

    /// One more set is fitted.
    func advance() {
        progress.completed += 1
        progress.total = max(progress.total, progress.completed)
        report(progress)
    }

    /// - Throws: ``EvaluationError`` with code `cancelled` when the caller asked to stop.
    func check() throws(EvaluationError) {
        if isCancelled() { throw EvaluationError(.cancelled, "the evaluation was cancelled") }
    }
}

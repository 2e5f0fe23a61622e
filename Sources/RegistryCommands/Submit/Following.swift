import EnsembleModel
import RegistryClient

extension RegistryClient {
    /// How long the registry may hold an answer while nothing changes.
    private static var hold: Duration { .seconds(25) }
    /// Pause after an answer that brought nothing new, so that a registry that does not hold answers is not stormed.
    private static var pause: Duration { .milliseconds(250) }

    /// Waits until nothing more happens to a submission by itself.
    func follow(_ submission: SubmissionRecord, _ progress: ProgressLine) async throws -> SubmissionRecord {
        try await follow(
            submission, progress, isFinal: { $0.state.isFinal }, evaluation: { $0.evaluation },
            next: { try await self.submission(submission.id, wait: $0) })
    }

    /// Waits until nothing more happens to an evaluation by itself.
    func follow(_ evaluation: EvaluationRecord, _ progress: ProgressLine) async throws -> EvaluationRecord {
        try await follow(
            evaluation, progress, isFinal: { $0.state.isFinal }, evaluation: { $0 },
            next: { try await self.evaluation(evaluation.id, wait: $0) })
    }

    /// How long a registry may be away while its answer is waited for.
    private static var patience: Duration { .seconds(60) }

    private func follow<Record: Equatable>(
        _ first: Record, _ progress: ProgressLine, isFinal: (Record) -> Bool, evaluation: (Record) -> EvaluationRecord?,
        next: (Duration) async throws -> Record
    ) async throws -> Record {
        defer { progress.clear() }
        var record = first
        var lastAnswer = ContinuousClock.now
        while !isFinal(record) {
            progress.evaluation(evaluation(record)?.state ?? .queued, evaluation(record)?.progress)
            do {
                let new = try await next(Self.hold)
                lastAnswer = .now
                if new == record { try await Task.sleep(for: Self.pause) }
                record = new
            } catch let error as RegistryClientError
                where error.code == .unreachable && ContinuousClock.now - lastAnswer < Self.patience
            {
                // What is stored stays stored: a registry that restarts goes on with it.
                try await Task.sleep(for: Self.pause)
            }
        }
        return record
    }
}

extension ExitStatus {
    /// What a command ends with that waited for a decision, of which there may be none.
    init(_ decision: DecisionRecord?) {
        self =
            switch decision?.approval?.state {
            case .pending, .superseded: .held
            case .rejected: .rejected
            case .approved, nil: decision.map { ExitStatus($0.verdict) } ?? .failed
            }
    }
}

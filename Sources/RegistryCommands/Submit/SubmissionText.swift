import EnsembleModel
import Foundation

/// A submission in words.
enum SubmissionText {
    static func of(_ submission: SubmissionRecord) -> String {
        let missing = submission.missingRowCount > 0 ? ", \(submission.missingRowCount) without a prediction" : ""
        let start =
            "Submission \(submission.id): \(submission.model) to \(submission.ensemble), "
            + "\(submission.rowCount) rows\(missing)."
        let evaluation = submission.evaluation.map { "\($0.id)" } ?? "-"
        switch submission.state {
        case .candidate:
            return start
                + "\nKept as a candidate: found the ensemble with `registry ensembles found \(submission.ensemble)`."
        case .failed:
            return start + "\nFailed: \(EvaluationResult.failure(of: submission.evaluation))"
        case .cancelled: return start + "\nCancelled."
        case .decided: return start + "\nDecided before: see `registry decisions list \(submission.ensemble)`."
        case .queued, .evaluating, .evaluated, .replayed:
            let work = "\n\(submission.state.rawValue.capitalized) as evaluation \(evaluation)."
            return start + work + (submission.holdCount > 0 ? " \(held(submission)) before." : "")
        }
    }

    /// `Held once`, `Held 3 times`.
    static func held(_ submission: SubmissionRecord) -> String {
        submission.holdCount == 1 ? "Held once" : "Held \(submission.holdCount) times"
    }
}

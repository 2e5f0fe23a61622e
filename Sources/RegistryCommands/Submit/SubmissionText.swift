import EnsembleModel
import Foundation
import RegistryClient

/// A submission in words.
enum SubmissionText {
    /// - Parameter candidacy: what it waits for; nil unless it is a candidate.
    static func of(_ submission: SubmissionRecord, _ candidacy: Candidacy?) -> String {
        let missing = submission.missingRowCount > 0 ? ", \(submission.missingRowCount) without a prediction" : ""
        let start =
            "Submission \(submission.id): \(submission.model) to \(submission.ensemble), "
            + "\(submission.rowCount) rows\(missing)."
        let evaluation = submission.evaluation.map { "\($0.id)" } ?? "-"
        switch submission.state {
        case .candidate: return start + (candidacy.map { "\n" + $0.text(submission) } ?? "")
        case .failed:
            return start + "\nFailed: \(EvaluationResult.failure(of: submission.evaluation))"
        case .cancelled: return start + "\nCancelled\(submission.evaluation?.failure.map { ": \($0)" } ?? "")."
        case .decided:
            let decision = submission.evaluation?.decision.map { "show \($0)" } ?? "list \(submission.ensemble)"
            return start + "\nDecided before: see `registry decisions \(decision)`."
        case .pending:
            let decision = submission.evaluation?.decision.map { "show \($0)" } ?? "list \(submission.ensemble)"
            return start + "\nWaits for approval: see `registry decisions \(decision)`."
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

/// Why a submission has no evaluation of its own.
enum Candidacy {
    case waitsForFounding
    /// Of members to have predictions of the epoch's rows.
    case waitsForMembers(missing: String)
    /// It is one.
    case member(missing: String?)
    /// It was a candidate of the founding, or a member that has left since.
    case notChosen
    case epochIsOver

    init(_ submission: SubmissionRecord, in ensemble: EnsembleRecord) {
        let missing = EnsembleText.missing(ensemble)
        if submission.epoch != ensemble.epoch.number {
            self = .epochIsOver
        } else if ensemble.sequence == 0 {
            self = .waitsForFounding
        } else if ensemble.members.contains(submission.model) {
            self = .member(missing: missing)
        } else {
            self = missing.map(Candidacy.waitsForMembers) ?? .notChosen
        }
    }

    /// What a command ends with that waited for it.
    var exitStatus: ExitStatus {
        switch self {
        case .notChosen: .rejected
        case .epochIsOver: .failed
        case .waitsForFounding, .waitsForMembers: .held
        case .member: .done
        }
    }

    func text(_ submission: SubmissionRecord) -> String {
        switch self {
        case .waitsForFounding:
            "Kept as a candidate: found the ensemble with `registry ensembles found \(submission.ensemble)`."
        case .waitsForMembers(let missing): "Kept as a candidate. Missing: \(missing)."
        case .member(let missing):
            "It is a member: newcomers are compared with these predictions."
                + (missing.map { "\nStill missing: \($0)." } ?? "")
        case .notChosen:
            "It is no member of \(submission.ensemble): it was not chosen at the founding, or has left since. "
                + "Submit it as a new version to have it evaluated."
        case .epochIsOver:
            "Not evaluated: epoch \(submission.epoch) is over. Submit predictions of the rows of this one."
        }
    }
}

extension RegistryClient {
    /// What a submission waits for; nil unless it is a candidate.
    func candidacy(of submission: SubmissionRecord) async throws -> Candidacy? {
        guard submission.state == .candidate else { return nil }
        return Candidacy(submission, in: try await ensemble(submission.ensemble))
    }
}

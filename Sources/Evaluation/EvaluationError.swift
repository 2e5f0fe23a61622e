/// An evaluation that cannot be made: what is wrong and what to do.
public struct EvaluationError: Error, Sendable, CustomStringConvertible {
    /// Stable, machine-readable kinds of this error.
    public enum Code: String, Hashable, Sendable {
        /// The request contradicts itself: models without predictions, predictions of another shape, a missing preset.
        case invalidRequest
        /// The validation set has too few groups for its folds.
        case tooFewGroups
        /// More candidates than a founding searches.
        case tooManyCandidates
        /// The caller asked to stop.
        case cancelled
    }

    /// The kind of error, for callers that branch.
    public let code: Code
    /// What is wrong and what to do, in one sentence.
    public let message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { "\(code.rawValue): \(message)" }
}

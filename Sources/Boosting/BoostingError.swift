/// A failure to load LightGBM or to train with it: what is wrong and what to do.
public struct BoostingError: Error, Sendable, CustomStringConvertible {
    /// Stable, machine-readable kinds of this error.
    public enum Code: String, Hashable, Sendable {
        case libraryMissing
        case libraryUnusable
        case environmentNotReady
        case invalidInput
        case trainingFailed
        case invalidModel
    }

    /// The kind of error, for callers that branch.
    public let code: Code
    /// What is wrong and what to do, in one sentence.
    public let message: String
    /// The error underneath, where there is one.
    public let cause: (any Error)?

    /// Creates an error of a kind with its explanation.
    public init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    public var description: String {
        let text = "\(code.rawValue): \(message)"
        return cause.map { "\(text) (\($0))" } ?? text
    }
}

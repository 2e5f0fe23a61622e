/// An invalid domain value: what is wrong with it and what would be right.
public struct EnsembleModelError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Stable, machine-readable kinds of this error.
    public enum Code: String, Hashable, Sendable {
        case invalidName
        case invalidDigest
        case invalidPolicy
        case invalidShape
        case tooFewGroups
        case invalidCanonicalForm
    }

    /// The kind of error, for callers that branch.
    public let code: Code
    /// What is wrong and what to do, in one sentence.
    public let message: String

    /// Creates an error of a kind with its explanation.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { "\(code.rawValue): \(message)" }
}

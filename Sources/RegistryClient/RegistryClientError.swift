public import RegistryAPI

/// A request to the registry that did not succeed: why, and what to do. It never carries the token.
public struct RegistryClientError: Error, Sendable, CustomStringConvertible {
    /// Stable kinds of this error, for callers that branch.
    public enum Code: Hashable, Sendable {
        /// The configuration or an argument cannot be sent.
        case invalidRequest
        /// No registry answers at the address.
        case unreachable
        /// The registry did not answer, or stopped sending, within the time allowed.
        case timeout
        /// The registry refused the request and says why.
        case problem(Problem)
        /// The answer is not one of the registry's API.
        case protocolViolation
        /// Content does not have the digest it is addressed by.
        case digestMismatch
        /// The body to be uploaded could not be read.
        case invalidBody
    }

    /// The kind of error.
    public let code: Code
    /// What is wrong and what to do.
    public let message: String
    /// The error behind this one.
    public let cause: (any Error)?

    /// Creates an error of a kind with its explanation.
    public init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    /// A refusal by the registry.
    init(_ problem: Problem) {
        self.init(.problem(problem), "\(problem.title): \(problem.detail)")
    }

    /// The registry's problem, when it gave one.
    public var problem: Problem? {
        if case .problem(let problem) = code { problem } else { nil }
    }

    public var description: String { message }
}

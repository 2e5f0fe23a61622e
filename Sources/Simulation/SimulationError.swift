/// A simulation that cannot be played: what is wrong and what to do.
public struct SimulationError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Stable, machine-readable kinds of this error.
    public enum Code: String, Hashable, Sendable {
        /// A setting is out of its range, or does not fit another.
        case invalidScenario
        /// The rows cannot be split or played on.
        case invalidRows
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

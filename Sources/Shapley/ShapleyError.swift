/// A game that cannot be played: what is wrong with it and what would be right.
public struct ShapleyError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Stable, machine-readable kinds of this error.
    public enum Code: String, Hashable, Sendable {
        case invalidPlayers
        case invalidShape
        case tooManyPlayers
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

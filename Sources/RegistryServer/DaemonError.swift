/// Why a daemon cannot run, and what to do.
public struct DaemonError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Stable kinds.
    public enum Code: String, Hashable, Sendable {
        case dataDirectory
        case listeningNeedsTokens
        case cannotListen
        case addressFile
        case keys
    }

    public let code: Code
    public let message: String

    init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    public var description: String { message }
}

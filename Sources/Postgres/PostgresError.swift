/// What went wrong, without connection strings, parameter values or row data.
public struct PostgresError: Error, Sendable, CustomStringConvertible {
    /// The kinds of error, stable.
    public enum Code: Hashable, Sendable {
        /// The connection string cannot be used.
        case invalidConfiguration
        /// No connection could be made.
        case connectionFailed
        /// A connection broke. Whether the statement in flight took effect is unknown.
        case connectionLost
        /// A statement or a connection attempt took longer than configured.
        case timeout
        /// The task was cancelled.
        case cancelled
        /// No connection became free within `acquireTimeout`.
        case poolExhausted
        /// The client is shut down.
        case shutDown
        /// The server refused a statement.
        case server(SQLState)
        /// A column is not what the code asks for.
        case decoding
        /// The connection is in use by another task or was already given back, or a transaction was used wrongly.
        case misuse
        /// The server answered with something that was not asked for.
        case unexpectedResponse
    }

    /// The kind of error.
    public let code: Code
    /// What happened and what to do.
    public let message: String
    /// The constraint that a server error names.
    public let constraintName: String?
    /// The table that a server error names.
    public let tableName: String?
    /// The error behind this one.
    public let cause: (any Error)?

    /// Makes an error; `message` must hold no data.
    public init(
        _ code: Code, _ message: String, constraintName: String? = nil, tableName: String? = nil,
        cause: (any Error)? = nil
    ) {
        self.code = code
        self.message = message
        self.constraintName = constraintName
        self.tableName = tableName
        self.cause = cause
    }

    /// The server's code, for a server error.
    public var sqlState: SQLState? {
        guard case .server(let state) = code else { return nil }
        return state
    }

    /// The message with the code, and the cause's.
    public var description: String {
        let text =
            switch code {
            case .server(let state): "\(message) (SQLSTATE \(state))"
            default: message
            }
        return cause.map { "\(text); caused by: \($0)" } ?? text
    }
}

extension PostgresError.Code {
    /// Lets `catch PostgresError.Code.timeout` match.
    public static func ~= (pattern: Self, error: any Error) -> Bool {
        (error as? PostgresError)?.code == pattern
    }
}

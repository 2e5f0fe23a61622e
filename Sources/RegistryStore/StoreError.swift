import Postgres

/// What the store could not do, and why; no row data.
public struct StoreError: Error, Sendable, CustomStringConvertible {
    /// Stable, machine-readable kinds of this error.
    public enum Code: String, Hashable, Sendable, CaseIterable {
        case ensembleNotFound
        case modelNotFound
        /// No such submission, evaluation, decision, token or epoch.
        case notFound
        /// The ensemble exists with other content.
        case ensembleExists
        /// The model version, or its predictions in this epoch, exist with other content.
        case modelVersionImmutable
        case notFounded
        case alreadyFounded
        case noCandidates
        /// The idempotency key was used for another submission.
        case idempotencyConflict
        /// Whoever submitted a model does not approve of it.
        case ownSubmission
        /// The state does not allow it, now or for good; the message says which.
        case conflict
        /// A value that the database cannot hold, such as a text with a NUL.
        case invalidValue
        /// The database is newer than the program.
        case schemaTooNew
        /// The database lacks migrations.
        case schemaTooOld
        /// An applied migration differs from the program's.
        case checksumMismatch
        /// Another worker has taken over, or the evaluation was cancelled: stop.
        case leaseLost
        /// This process cannot sign what would be published.
        case signingKeysMissing
        /// The keys to sign with are not those of the newest root.
        case signingKeysOutdated
        /// What is stored, or about to be, does not match its digest or description.
        case corrupt
        /// The database cannot be reached or does not answer; whether a write took effect may be unknown.
        case databaseUnavailable
        /// A fault of the program.
        case internalError
    }

    /// The kind of error, for callers that branch.
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

    /// The code, the message, and the cause's description.
    public var description: String {
        let text = "\(code.rawValue): \(message)"
        return cause.map { "\(text) (\($0))" } ?? text
    }
}

extension StoreError {
    static func ensembleNotFound(_ name: String) -> StoreError {
        StoreError(
            .ensembleNotFound,
            "there is no ensemble '\(name.prefix(128))'; `registry ensembles list` shows those there are")
    }

    static func notFound(_ what: String, _ id: Int64) -> StoreError {
        StoreError(.notFound, "there is no \(what) \(id)")
    }

    static func leaseLost(_ evaluation: Int64) -> StoreError {
        StoreError(.leaseLost, "evaluation \(evaluation) is no longer held under this lease; drop what was computed")
    }

    /// The store's word for an error of the database client.
    init(_ error: PostgresError) {
        switch error.code {
        case .invalidConfiguration, .connectionFailed, .connectionLost, .timeout, .poolExhausted, .shutDown:
            self.init(.databaseUnavailable, "the database cannot be reached or does not answer", cause: error)
        case .decoding:
            self.init(.corrupt, "a stored value is not of the form the program expects", cause: error)
        case .server(let state):
            self.init(Self.code(of: state), "the database refused a statement", cause: error)
        default:
            self.init(.internalError, "the database client was used wrongly", cause: error)
        }
    }

    private static func code(of state: SQLState) -> Code {
        switch state {
        case .connectionException, .insufficientResources, .operatorIntervention, .invalidAuthorization,
            .invalidCatalogName,
            .readOnlyTransaction:
            .databaseUnavailable
        case .dataException, .checkViolation: .invalidValue
        case .transactionRollback, .integrityConstraintViolation, .lockNotAvailable: .conflict
        case .undefinedTable, .undefinedColumn: .schemaTooOld
        default: .internalError
        }
    }

    /// Runs `body`; what the database client throws becomes a ``StoreError``, a cancellation stays one.
    nonisolated(nonsending) static func translating<Result>(
        _ body: nonisolated(nonsending) () async throws -> Result
    ) async throws -> Result {
        do {
            return try await body()
        } catch let error as PostgresError {
            if error.code == .cancelled { throw CancellationError() }
            throw StoreError(error)
        }
    }

    /// Whether a unique index or other named constraint of the database caused this.
    func violates(_ constraint: String) -> Bool {
        (cause as? PostgresError)?.constraintName == constraint
    }
}

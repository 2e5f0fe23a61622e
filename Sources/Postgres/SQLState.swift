/// A five-character SQLSTATE. The codes are those of PostgreSQL's documentation, appendix A.
///
/// A code that ends in `000` stands for its whole class when it is used as a pattern:
/// ```swift
/// do { ... }
/// catch SQLState.uniqueViolation { ... }
/// catch SQLState.integrityConstraintViolation { ... }  // every other 23xxx
/// ```
public struct SQLState: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    /// The five characters.
    public let rawValue: String

    /// Takes the five characters; codes that this file does not name are as good as those it does.
    public init(rawValue: String) {
        self.rawValue = rawValue
    }

    /// The class (the first two characters) as a pattern: `23505` gives `23000`.
    public var `class`: SQLState { SQLState(rawValue: rawValue.prefix(2) + "000") }

    /// The five characters.
    public var description: String { rawValue }

    /// True for the same code, and for every code of the class if the pattern ends in `000`.
    public static func ~= (pattern: SQLState, state: SQLState) -> Bool {
        pattern == state || (pattern.rawValue.hasSuffix("000") && pattern == state.class)
    }

    /// Lets `catch SQLState.uniqueViolation` match a `PostgresError` that the server sent.
    public static func ~= (pattern: SQLState, error: any Error) -> Bool {
        guard let state = (error as? PostgresError)?.sqlState else { return false }
        return pattern ~= state
    }
}

extension SQLState {
    /// Class 08.
    public static let connectionException = SQLState(rawValue: "08000")
    /// Class 0A; also a cached plan that no longer fits its tables.
    public static let featureNotSupported = SQLState(rawValue: "0A000")
    /// Class 22: a value that its type does not take.
    public static let dataException = SQLState(rawValue: "22000")
    /// A number outside its type's range.
    public static let numericValueOutOfRange = SQLState(rawValue: "22003")
    /// Text that its type cannot read.
    public static let invalidTextRepresentation = SQLState(rawValue: "22P02")
    /// Class 23.
    public static let integrityConstraintViolation = SQLState(rawValue: "23000")
    /// NULL in a NOT NULL column.
    public static let notNullViolation = SQLState(rawValue: "23502")
    /// A reference to a row that is not there, or the removal of one that is referred to.
    public static let foreignKeyViolation = SQLState(rawValue: "23503")
    /// A second row with the same key.
    public static let uniqueViolation = SQLState(rawValue: "23505")
    /// A row that a CHECK constraint refuses.
    public static let checkViolation = SQLState(rawValue: "23514")
    /// A row that an EXCLUDE constraint refuses.
    public static let exclusionViolation = SQLState(rawValue: "23P01")
    /// Class 25.
    public static let invalidTransactionState = SQLState(rawValue: "25000")
    /// A write in a read-only transaction.
    public static let readOnlyTransaction = SQLState(rawValue: "25006")
    /// A statement after an error in the same transaction.
    public static let inFailedTransaction = SQLState(rawValue: "25P02")
    /// A prepared statement that does not exist.
    public static let invalidStatementName = SQLState(rawValue: "26000")
    /// Class 28: a wrong user or password.
    public static let invalidAuthorization = SQLState(rawValue: "28000")
    /// A database that does not exist.
    public static let invalidCatalogName = SQLState(rawValue: "3D000")
    /// Class 40: the transaction may be tried again.
    public static let transactionRollback = SQLState(rawValue: "40000")
    /// Another transaction came first; try again.
    public static let serializationFailure = SQLState(rawValue: "40001")
    /// The server ended a deadlock; try again.
    public static let deadlockDetected = SQLState(rawValue: "40P01")
    /// Class 42.
    public static let syntaxErrorOrAccessRuleViolation = SQLState(rawValue: "42000")
    /// A missing privilege.
    public static let insufficientPrivilege = SQLState(rawValue: "42501")
    /// A syntax error.
    public static let syntaxError = SQLState(rawValue: "42601")
    /// A column that does not exist.
    public static let undefinedColumn = SQLState(rawValue: "42703")
    /// A table that does not exist.
    public static let undefinedTable = SQLState(rawValue: "42P01")
    /// A table that exists already.
    public static let duplicateTable = SQLState(rawValue: "42P07")
    /// Class 53.
    public static let insufficientResources = SQLState(rawValue: "53000")
    /// The disk is full.
    public static let diskFull = SQLState(rawValue: "53100")
    /// `max_connections` is reached.
    public static let tooManyConnections = SQLState(rawValue: "53300")
    /// Class 55.
    public static let objectNotInPrerequisiteState = SQLState(rawValue: "55000")
    /// A row or table that `NOWAIT` or `lock_timeout` did not get.
    public static let lockNotAvailable = SQLState(rawValue: "55P03")
    /// Class 57.
    public static let operatorIntervention = SQLState(rawValue: "57000")
    /// The server ended the statement: somebody asked, or `statement_timeout`.
    public static let queryCanceled = SQLState(rawValue: "57014")
    /// The server ended the connection.
    public static let adminShutdown = SQLState(rawValue: "57P01")
    /// The server starts, stops or recovers.
    public static let cannotConnectNow = SQLState(rawValue: "57P03")
    /// `RAISE EXCEPTION` in a function, without a code of its own.
    public static let raiseException = SQLState(rawValue: "P0001")
}

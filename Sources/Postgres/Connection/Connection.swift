/// A connection leased to one task. It is valid within the closure that it was passed to, and for one operation at a
/// time; anything else throws `.misuse`.
public final class Connection: Sendable {
    let session: Session
    let lease: Int

    init(session: Session, lease: Int) {
        self.session = session
        self.lease = lease
    }

    /// Runs one statement and returns all its rows.
    /// - Parameter timeout: instead of the configuration's `statementTimeout`.
    public func query(_ statement: SQL, timeout: Duration? = nil) async throws -> [Row] {
        try await session.run([statement], lease: lease, timeout: timeout).last?.rows ?? []
    }

    /// Runs one statement and returns the number of rows that it inserted, changed, removed or returned.
    @discardableResult
    public func execute(_ statement: SQL, timeout: Duration? = nil) async throws -> Int {
        try await session.run([statement], lease: lease, timeout: timeout).last?.affectedRows ?? 0
    }

    /// Runs statements in one round trip, and returns for each the number of rows as `execute` does. When one fails,
    /// those after it are not run; outside of a transaction none takes effect.
    @discardableResult
    public func execute(pipelined statements: [SQL], timeout: Duration? = nil) async throws -> [Int] {
        try await session.run(statements, lease: lease, timeout: timeout).map(\.affectedRows)
    }

    /// Runs many statements without parameters, separated by semicolons, such as a migration. Outside of a transaction
    /// all or none take effect, unless the script itself says BEGIN and COMMIT.
    public func script(_ sql: String, timeout: Duration? = nil) async throws {
        try await session.script(sql, lease: lease, timeout: timeout)
    }

    /// Runs a `COPY ... FROM STDIN (FORMAT binary)` whose rows `body` writes, and returns how many were stored. When
    /// `body` throws, none are.
    @discardableResult
    public nonisolated(nonsending) func copyIn(
        _ sql: String, _ body: nonisolated(nonsending) (CopyWriter) async throws -> Void
    ) async throws -> Int {
        let columnCount = try await session.beginCopy(sql, into: .copyIn, lease: lease)
        let writer = CopyWriter(session: session, lease: lease, columnCount: columnCount)
        do {
            try await body(writer)
            return try await writer.finish()
        } catch {
            await session.abortCopyIn(lease: lease)
            throw error
        }
    }

    /// Runs a `COPY ... TO STDOUT (FORMAT binary)` and returns its rows as they are asked for.
    public func copyOut(_ sql: String) -> CopyRows {
        CopyRows(session: session, lease: lease, sql: sql)
    }

    /// Runs `body` in a transaction on this connection, as `PostgresClient.transaction` does: for what needs several
    /// transactions under one session-level lock.
    @discardableResult
    public nonisolated(nonsending) func transaction<Result: Sendable>(
        isolation: IsolationLevel = .readCommitted, readOnly: Bool = false,
        _ body: nonisolated(nonsending) (Connection) async throws -> Result
    ) async throws -> Result {
        try await session.begin(isolation.begin(readOnly: readOnly), lease: lease)
        let result: Result
        do {
            result = try await body(self)
        } catch {
            await session.rollback(lease: lease)
            throw error
        }
        try await session.commit(lease: lease)
        return result
    }

    /// Runs `body` within a savepoint of the transaction: when it throws, only what it did is undone.
    @discardableResult
    public nonisolated(nonsending) func savepoint<Result: Sendable>(
        _ body: nonisolated(nonsending) (Connection) async throws -> Result
    ) async throws -> Result {
        try await execute("SAVEPOINT nested")
        let result: Result
        do {
            result = try await body(self)
        } catch {
            // Savepoints of the same name nest. Should this fail, the transaction has failed and cannot be committed.
            try? await session.rollbackToSavepoint(lease: lease)
            throw error
        }
        try await execute("RELEASE SAVEPOINT nested")
        return result
    }
}

/// How much a transaction sees of others that run at the same time.
public enum IsolationLevel: String, Sendable {
    /// Every statement sees what was committed before it.
    case readCommitted = "READ COMMITTED"
    /// All statements see what was committed before the first; may fail with `serializationFailure`.
    case repeatableRead = "REPEATABLE READ"
    /// As if transactions ran one after the other; may fail with `serializationFailure`.
    case serializable = "SERIALIZABLE"

    func begin(readOnly: Bool) -> String {
        "BEGIN ISOLATION LEVEL \(rawValue)\(readOnly ? " READ ONLY" : "")"
    }
}

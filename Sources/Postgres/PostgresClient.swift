public import Logging
public import ServiceLifecycle
import Synchronization

/// A client of one database: a pool of connections, served by one thread.
///
/// It connects when it is first used, with or without `run()`. Either `run()` must end or `shutdown()` be called before
/// it is dropped, for its connections to end in order.
public final class PostgresClient: Service, Sendable {
    private enum Phase {
        case open
        case closing([CheckedContinuation<Void, Never>])
        case closed
    }

    private let loop: EventLoop
    private let pool: ConnectionPool
    private let logger: Logger
    private let phase = Mutex(Phase.open)

    /// Makes a client; nothing is connected yet.
    public init(configuration: PostgresConfiguration, logger: Logger) {
        self.logger = logger
        loop = EventLoop(name: configuration.applicationName)
        pool = ConnectionPool(loop: loop, configuration: configuration, logger: logger)
    }

    deinit {
        loop.requestStop()
    }

    // MARK: Life

    /// Runs `body` with a client, which is shut down however `body` ends.
    public static func withClient<Result>(
        isolation: isolated (any Actor)? = #isolation, configuration: PostgresConfiguration, logger: Logger,
        _ body: (PostgresClient) async throws -> Result
    ) async throws -> Result {
        let client = PostgresClient(configuration: configuration, logger: logger)
        let result: Result
        do {
            result = try await body(client)
        } catch {
            await client.shutdown()
            throw error
        }
        await client.shutdown()
        return result
    }

    /// Returns after graceful shutdown or cancellation, when all connections are closed.
    public func run() async throws {
        await cancelWhenGracefulShutdown { await self.pool.closedOrCancelled() }
        await shutdown()
    }

    /// Closes all connections, once those in use are given back or `shutdownTimeout` is over, and ends the thread.
    /// Whoever comes later waits for the first.
    public func shutdown() async {
        let isFirst = phase.withLock { phase in
            guard case .open = phase else { return false }
            phase = .closing([])
            return true
        }
        guard isFirst else { return await closed() }
        await pool.shutDown()
        await loop.stop()
        let waiters = phase.withLock { phase in
            defer { phase = .closed }
            guard case .closing(let waiters) = phase else { return [CheckedContinuation<Void, Never>]() }
            return waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    private func closed() async {
        await withCheckedContinuation { continuation in
            let isClosed = phase.withLock { phase in
                guard case .closing(let waiters) = phase else { return true }
                phase = .closing(waiters + [continuation])
                return false
            }
            if isClosed { continuation.resume() }
        }
    }

    // MARK: Use

    /// The connections that exist or are being made.
    var connections: Int {
        get async { await pool.connections }
    }

    /// The tasks that wait for a connection.
    var waiting: Int {
        get async { await pool.waiting }
    }

    /// Runs one statement on its own and returns all its rows.
    public func query(_ statement: SQL) async throws -> [Row] {
        try await pool.run(statement)?.rows ?? []
    }

    /// Runs one statement on its own and returns the number of rows that it inserted, changed, removed or returned.
    @discardableResult
    public func execute(_ statement: SQL) async throws -> Int {
        try await pool.run(statement)?.affectedRows ?? 0
    }

    /// Leases a connection for the time of `body`. A transaction that `body` leaves open is rolled back; settings made
    /// with SET stay.
    @discardableResult
    public nonisolated(nonsending) func withConnection<R: Sendable>(
        _ body: nonisolated(nonsending) (Connection) async throws -> R
    ) async throws -> R {
        let connection = try await pool.lease(begin: nil)
        do {
            let result = try await body(connection)
            await pool.release(connection.session)
            return result
        } catch {
            await pool.release(connection.session)
            throw error
        }
    }

    /// Runs `body` in a transaction: COMMIT when it returns, ROLLBACK when it throws. When a statement in it failed,
    /// the commit throws, even if `body` caught that error.
    ///
    /// BEGIN travels with the first statement. Nothing is retried: see `SQLState.transactionRollback` for the errors
    /// after which that makes sense.
    @discardableResult
    public nonisolated(nonsending) func transaction<R: Sendable>(
        isolation: IsolationLevel = .readCommitted, readOnly: Bool = false,
        _ body: nonisolated(nonsending) (Connection) async throws -> R
    ) async throws -> R {
        let connection = try await pool.lease(begin: isolation.begin(readOnly: readOnly))
        let result: R
        do {
            result = try await body(connection)
        } catch {
            // Giving back rolls back.
            await pool.release(connection.session)
            throw error
        }
        try await pool.commit(connection)
        return result
    }

    /// Listens on a channel, on a connection of its own that is made with the first element asked for. When it breaks,
    /// it is replaced, after the first success for as long as it takes. Ends at shutdown.
    public func listen(_ channel: String) -> AsyncThrowingStream<Notification, any Error> {
        let listener = Listener(channel: channel, pool: pool, logger: logger)
        // The stream keeps the client, whose thread it needs.
        return AsyncThrowingStream { [self] in try await withExtendedLifetime(self) { listener }.next() }
    }
}

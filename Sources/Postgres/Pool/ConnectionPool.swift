import Logging

/// The connections of a client: carries out what `PoolStateMachine` decides. It runs on the event loop, as its
/// connections do, so that a query through the pool costs one change of thread each way.
actor ConnectionPool {
    nonisolated let loop: EventLoop
    nonisolated let configuration: PostgresConfiguration
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    private struct Waiter {
        var continuation: CheckedContinuation<PoolStateMachine.Grant, any Error>
        var timer: TimerQueue.Token
    }

    private let logger: Logger
    private var machine: PoolStateMachine
    private var sessions: [Int: Session] = [:]
    private var idleTimers: [Int: TimerQueue.Token] = [:]
    private var waiters: [Int: Waiter] = [:]
    private var requests = 0
    /// Sessions of `listen`, which are not the pool's to lease.
    private var listeners: [ObjectIdentifier: Session] = [:]
    private var closeWaiters: [Int: CheckedContinuation<Void, Never>] = [:]

    init(loop: EventLoop, configuration: PostgresConfiguration, logger: Logger) {
        self.loop = loop
        self.configuration = configuration
        self.logger = logger
        machine = PoolStateMachine(limit: configuration.maximumConnections)
    }

    var connections: Int { machine.connectionCount }
    var waiting: Int { machine.queueLength }

    // MARK: Statements

    func run(_ statement: SQL) async throws -> ResultSet? {
        let (session, lease) = try await acquire(begin: nil)
        do {
            let results = try await session.run([statement], lease: lease, timeout: nil)
            await release(session)
            return results.last
        } catch {
            await release(session)
            throw error
        }
    }

    /// COMMIT, then give back.
    func commit(_ connection: Connection) async throws {
        do {
            try await connection.session.commit(lease: connection.lease)
        } catch {
            await release(connection.session)
            throw error
        }
        await release(connection.session)
    }

    // MARK: Leases

    func lease(begin: String?) async throws -> Connection {
        let (session, lease) = try await acquire(begin: begin)
        return Connection(session: session, lease: lease)
    }

    private func acquire(begin: String?) async throws -> (Session, Int) {
        while true {
            switch try await grant() {
            case .use(let id):
                guard let session = sessions[id] else { continue }
                if let timer = idleTimers.removeValue(forKey: id) { loop.cancel(timer) }
                guard await session.isAlive() else {
                    discard(session, "Replacing a dead connection")
                    continue
                }
                return (session, await session.beginLease(begin))
            case .connect(let id):
                let session = try await connect(id)
                return (session, await session.beginLease(begin))
            }
        }
    }

    private func grant() async throws -> PoolStateMachine.Grant {
        requests += 1
        let request = requests
        guard !Task.isCancelled else { throw Interruption.cancelled.error }
        switch machine.acquire(request) {
        case .grant(let grant): return grant
        case .refuse: throw PostgresError.shutDown
        case .wait: break
        }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let timer = loop.schedule(after: configuration.acquireTimeout) { [weak self] in
                    self?.assumeIsolated { $0.giveUp(request, Self.exhausted) }
                }
                waiters[request] = Waiter(continuation: continuation, timer: timer)
            }
        } onCancel: {
            loop.submit { self.assumeIsolated { $0.giveUp(request, Interruption.cancelled.error) } }
        }
    }

    private static let exhausted = PostgresError(
        .poolExhausted, "No database connection became free in time; allow more of them, or hold them for less long.")

    private func giveUp(_ request: Int, _ error: PostgresError) {
        guard machine.withdraw(request) else { return }
        resume(request, .failure(error))
    }

    private func resume(_ request: Int, _ result: Result<PoolStateMachine.Grant, any Error>) {
        guard let waiter = waiters.removeValue(forKey: request) else { return }
        loop.cancel(waiter.timer)
        waiter.continuation.resume(with: result)
    }

    private func connect(_ id: Int) async throws -> Session {
        let session = Session(id: id, loop: loop, configuration: configuration) { [weak self] in
            self?.assumeIsolated { $0.idleDied(id) }
        }
        sessions[id] = session
        do {
            try await session.connect()
        } catch {
            logger.warning("Cannot connect to the database", metadata: ["error": "\(error)"])
            discard(session, nil)
            throw error
        }
        guard machine.connected(id) else {
            await session.close()
            discard(session, nil)
            throw PostgresError.shutDown
        }
        logger.debug("Connected to the database", metadata: ["connection": "\(id)"])
        return session
    }

    func release(_ session: Session) async {
        guard await session.endLease() else { return discard(session, "Discarding a broken connection") }
        await perform(machine.release(session.id))
    }

    // MARK: Actions

    private func perform(_ action: PoolStateMachine.Action) async {
        switch action {
        case .none: break
        case .resume(let request, let grant): resume(request, .success(grant))
        case .finished: finish()
        case .park(let id):
            idleTimers[id] = loop.schedule(after: configuration.idleTimeout) { [weak self] in
                self?.assumeIsolated { $0.retire(id) }
            }
        case .close(let id):
            guard let session = sessions[id] else { return }
            await session.close()
            discard(session, nil)
        }
    }

    /// Forgets a connection that is closed.
    private func discard(_ session: Session, _ reason: Logger.Message?) {
        if let reason { logger.info(reason, metadata: ["connection": "\(session.id)"]) }
        sessions[session.id] = nil
        if let timer = idleTimers.removeValue(forKey: session.id) { loop.cancel(timer) }
        switch machine.closed(session.id) {
        case .resume(let request, let grant): resume(request, .success(grant))
        case .finished: finish()
        default: break
        }
    }

    private func idleDied(_ id: Int) {
        guard case .close = machine.retire(id), let session = sessions[id] else { return }
        discard(session, "An idle connection was closed by the server")
    }

    private func retire(_ id: Int) {
        guard case .close = machine.retire(id), let session = sessions[id] else { return }
        session.assumeIsolated { $0.close() }
        discard(session, nil)
    }

    // MARK: Listeners

    func adopt(listener session: Session) throws {
        guard !machine.isShutDown else { throw PostgresError.shutDown }
        listeners[ObjectIdentifier(session)] = session
    }

    func dismiss(listener session: Session) {
        session.assumeIsolated { $0.close() }
        listeners[ObjectIdentifier(session)] = nil
    }

    // MARK: Shutdown

    /// Refuses new requests, closes what is idle, waits for what is in use, and in the end closes that too.
    func shutDown() async {
        let shutdown = machine.shutDown()
        for request in shutdown.refuse { resume(request, .failure(PostgresError.shutDown)) }
        for id in shutdown.abort { await sessions[id]?.terminate() }
        for id in shutdown.close { await perform(.close(id)) }
        for session in listeners.values { await session.terminate() }
        listeners.removeAll()
        let timer = loop.schedule(after: configuration.shutdownTimeout) { [weak self] in
            self?.assumeIsolated { pool in
                for session in pool.sessions.values { session.assumeIsolated { $0.terminate() } }
            }
        }
        await closed()
        loop.cancel(timer)
    }

    /// Returns when the pool is shut down and empty, or the task is cancelled.
    func closedOrCancelled() async {
        requests += 1
        let request = requests
        await withTaskCancellationHandler {
            guard !machine.isFinished else { return }
            await withCheckedContinuation { closeWaiters[request] = $0 }
        } onCancel: {
            loop.submit { self.assumeIsolated { $0.closeWaiters.removeValue(forKey: request)?.resume() } }
        }
    }

    private func closed() async {
        guard !machine.isFinished else { return }
        requests += 1
        await withCheckedContinuation { closeWaiters[requests] = $0 }
    }

    private func finish() {
        for waiter in closeWaiters.values { waiter.resume() }
        closeWaiters.removeAll()
    }
}

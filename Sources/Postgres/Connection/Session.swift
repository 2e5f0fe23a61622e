import CLibpq
import Glibc

/// Why a wait ended before the server answered.
enum Interruption: Error {
    case cancelled, timeout, shutDown

    var error: PostgresError {
        switch self {
        case .cancelled: PostgresError(.cancelled, "The task was cancelled during a database operation.")
        case .timeout:
            PostgresError(.timeout, "A database operation took longer than its timeout; raise it or do less at once.")
        case .shutDown: .shutDown
        }
    }
}

extension PostgresError {
    static let connectionLost = PostgresError(
        .connectionLost, "The connection to the database broke; whether the last statement took effect is unknown.")
    static let shutDown = PostgresError(.shutDown, "The database client is shut down.")
}

/// One physical connection: libpq without blocking, written as straight-line code that suspends until the socket is
/// ready. It runs on the event loop, like everything that touches its `PGconn`.
///
/// At most one operation runs at a time. An operation that is interrupted (task cancelled, deadline) asks the server to
/// cancel, reads on until the connection is idle again, and closes it if that takes longer than `drainTimeout`.
actor Session {
    /// What the server still has to send or to be sent.
    enum Wire {
        case idle, pipeline, simple, copyIn, copyOut
    }

    static let drainTimeout = Duration.seconds(10)

    nonisolated let id: Int
    nonisolated let loop: EventLoop
    nonisolated let configuration: PostgresConfiguration
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

    var statements: StatementCache
    /// The cache and the server disagree: deallocate all before the next statement.
    var mustForgetStatements = false
    var wire = Wire.idle
    /// BEGIN is sent together with the first statement.
    var pendingBegin: String?
    /// Set while a COPY lasts, over several operations.
    var copy: CopyState?
    /// Who may use the connection; changes with every lease.
    private(set) var lease = 0
    private var isLeased = false

    private var handle: Handle?
    private let keepsNotifications: Bool
    private let onIdleDeath: @Sendable () -> Void

    private var isRunning = false
    private var operation = 0
    private var interruption: Interruption?
    private var waiter: CheckedContinuation<Void, Never>?
    private var armed: UInt32 = 0
    private var hasHungUp = false
    private var isTerminating = false
    private var isCancelOutstanding = false

    /// - Parameter onIdleDeath: called on the loop when the connection breaks while nobody uses it.
    init(
        id: Int, loop: EventLoop, configuration: PostgresConfiguration, keepsNotifications: Bool = false,
        onIdleDeath: @escaping @Sendable () -> Void = {}
    ) {
        self.id = id
        self.loop = loop
        self.configuration = configuration
        self.keepsNotifications = keepsNotifications
        self.onIdleDeath = onIdleDeath
        statements = StatementCache(limit: configuration.preparedStatementLimit)
    }

    // MARK: Leases

    func beginLease(_ begin: String?) -> Int {
        lease += 1
        isLeased = true
        pendingBegin = begin
        return lease
    }

    /// Makes the connection fit for the next lease. False: it was or must be closed.
    func endLease() async -> Bool {
        lease += 1
        isLeased = false
        guard !isRunning else {
            // Somebody kept the connection and still uses it: nothing is known about its state.
            close()
            return false
        }
        pendingBegin = nil
        guard isAlive() else { return false }
        do {
            if wire == .idle, try transactionStatus == PQTRANS_IDLE { return true }
            try await perform(timeout: Self.drainTimeout, isCancellable: false) {
                try await self.finishAbandonedCopy()
                if try self.transactionStatus != PQTRANS_IDLE { _ = try await self.command("ROLLBACK") }
            }
        } catch {
            close()
        }
        return handle != nil
    }

    /// Refuses those who kept a connection beyond its lease, and use during a COPY by others than the COPY.
    func check(lease: Int, isCopy: Bool = false) async throws {
        guard lease == self.lease, isLeased else {
            throw PostgresError(.misuse, "The connection was given back; use it only within its closure.")
        }
        if !isCopy, copy != nil {
            guard copy?.isAbandoned == true, !isRunning else {
                throw PostgresError(.misuse, "A COPY is using the connection; finish it first.")
            }
            try await perform(timeout: configuration.statementTimeout) { try await self.finishAbandonedCopy() }
        }
    }

    /// Looks whether the server has closed the connection meanwhile; costs one system call.
    func isAlive() -> Bool {
        guard let handle, !hasHungUp, PQstatus(handle.pointer) == CONNECTION_OK else { return closeDead() }
        if wire == .idle, !isRunning {
            guard PQconsumeInput(handle.pointer) == 1 else { return closeDead() }
            _ = PQisBusy(handle.pointer)
            if PQstatus(handle.pointer) != CONNECTION_OK { return closeDead() }
        }
        return true
    }

    private func closeDead() -> Bool {
        close()
        return false
    }

    // MARK: Operations

    /// Runs one operation with a deadline; cancellation of the task interrupts it.
    func perform<Result: Sendable>(
        timeout: Duration, isCancellable: Bool = true, _ body: () async throws -> Result
    ) async throws -> Result {
        guard !isRunning else {
            throw PostgresError(.misuse, "Two tasks use one connection; lease one for each.")
        }
        isRunning = true
        let timer = startDeadline(timeout)
        defer {
            isRunning = false
            loop.cancel(timer)
            // From now on the socket tells when the server closes it.
            if wire == .idle, !keepsNotifications { arm(EPOLLIN.rawValue) }
        }
        let current = operation
        do {
            guard isCancellable else { return try await body() }
            return try await withTaskCancellationHandler {
                try await body()
            } onCancel: {
                loop.submit { self.assumeIsolated { $0.interrupt(.cancelled, current) } }
            }
        } catch let interruption as Interruption {
            await recover()
            throw interruption.error
        } catch {
            // Broken, or in the middle of something that was not asked for.
            if PostgresError.Code.connectionLost ~= error || (wire != .idle && copy == nil) { close() }
            throw error
        }
    }

    private func startDeadline(_ timeout: Duration) -> TimerQueue.Token {
        interruption = isTerminating ? .shutDown : nil
        operation += 1
        let current = operation
        return loop.schedule(after: timeout) { [weak self] in
            self?.assumeIsolated { $0.interrupt(.timeout, current) }
        }
    }

    private func interrupt(_ reason: Interruption, _ operation: Int) {
        guard isRunning, operation == self.operation, interruption == nil else { return }
        interruption = reason
        wake()
    }

    /// Brings the connection back to idle, or closes it.
    private func recover() async {
        guard handle != nil, wire != .idle else { return }
        guard !isTerminating else { return close() }
        let timer = startDeadline(Self.drainTimeout)
        defer { loop.cancel(timer) }
        do {
            if wire != .copyIn { requestCancel() }
            try await drain()
            try await awaitCancel()
        } catch {
            close()
        }
    }

    func requestCancel() {
        guard let handle, let cancel = CancelHandle(handle) else { return }
        isCancelOutstanding = true
        loop.offload(name: "pg-cancel") {
            cancel.deliver()
        } completion: { [weak self] _ in
            self?.assumeIsolated {
                $0.isCancelOutstanding = false
                $0.wake()
            }
        }
    }

    /// Waits until the cancel request, if any, is delivered: later it would hit the next statement. The server has
    /// signalled its backend when it has taken the request, and a backend that is idle by then ignores the signal.
    func awaitCancel() async throws {
        // What the server sends meanwhile must not wake this over and over.
        arm(0)
        while isCancelOutstanding { try await suspend() }
    }

    // MARK: Waiting

    var pointer: OpaquePointer {
        get throws {
            guard let handle else { throw isTerminating ? PostgresError.shutDown : .connectionLost }
            return handle.pointer
        }
    }

    var transactionStatus: PGTransactionStatusType {
        get throws { PQtransactionStatus(try pointer) }
    }

    /// Suspends until one of `events` (an epoll mask) holds for the socket.
    func wait(for events: EPOLL_EVENTS...) async throws {
        // A socket that has hung up is always ready: reading it gives what is left, then the end.
        guard !hasHungUp else { return try checkInterruption() }
        arm(events.reduce(0) { $0 | $1.rawValue })
        try await suspend()
    }

    /// Suspends until `wake`.
    func suspend() async throws {
        try checkInterruption()
        await withCheckedContinuation { waiter = $0 }
        try checkInterruption()
    }

    private func checkInterruption() throws {
        if let interruption { throw interruption }
        if isTerminating { throw Interruption.shutDown }
    }

    func wake() {
        waiter?.resume()
        waiter = nil
    }

    private func arm(_ events: UInt32) {
        guard armed != events, let handle, !hasHungUp else { return }
        armed = events
        loop.rearm(PQsocket(handle.pointer), events)
    }

    private func socketReady(_ events: UInt32) {
        if events & (EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0, let handle {
            // These two cannot be masked and would be reported for ever.
            hasHungUp = true
            loop.unwatch(PQsocket(handle.pointer))
        }
        if waiter != nil { return wake() }
        if isRunning || wire != .idle || keepsNotifications {
            // Nobody reads now; leave the data in the socket, so that the server waits. Whoever reads next arms again.
            arm(0)
        } else if !isAlive() {
            if !isLeased { onIdleDeath() }
        } else {
            while let notification = PQnotifies(try? pointer) { PQfreemem(notification) }
        }
    }

    // MARK: Life

    /// Takes over a connection that libpq has made.
    func adopt(_ handle: Handle) {
        let pointer = handle.pointer
        PQsetnonblocking(pointer, 1)
        self.handle = handle
        armed = EPOLLIN.rawValue
        loop.watch(PQsocket(pointer), armed) { [weak self] events in
            self?.assumeIsolated { $0.socketReady(events) }
        }
    }

    func close() {
        guard let handle else { return }
        if !hasHungUp { loop.unwatch(PQsocket(handle.pointer)) }
        self.handle = nil
        wire = .idle
        copy = nil
        wake()
    }

    /// Ends whatever runs, at once.
    func terminate() {
        isTerminating = true
        close()
        // While connecting there is nothing to close yet, but somebody who waits.
        wake()
    }
}

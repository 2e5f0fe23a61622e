import CLibpq
import DequeModule
import Glibc
import Logging

/// What a stream of `PostgresClient.listen` yields.
public enum Notification: Hashable, Sendable {
    /// The first element: from here on nothing is missed. Look at the state now.
    case subscribed
    /// The connection broke and is replaced. Notifications may be lost: look at the state again.
    case reconnected
    /// `NOTIFY channel, 'payload'`
    case message(payload: String)
}

/// The connection of one `listen` stream. It does something only while the stream is asked for an element; meanwhile
/// the server's notifications wait in the socket.
actor Listener {
    private static let delays: [Duration] = [.milliseconds(50), .milliseconds(200), .seconds(1), .seconds(2)]

    nonisolated let pool: ConnectionPool
    nonisolated var unownedExecutor: UnownedSerialExecutor { pool.unownedExecutor }

    private let channel: String
    private let logger: Logger
    private var session: Session?
    private var hasSubscribed = false
    private var payloads = Deque<String>()
    private var failures = 0

    init(channel: String, pool: ConnectionPool, logger: Logger) {
        self.channel = channel
        self.pool = pool
        self.logger = logger
    }

    deinit {
        guard let session else { return }
        pool.loop.submit { [pool, session] in
            pool.assumeIsolated { $0.dismiss(listener: session) }
        }
    }

    /// The next element; nil after shutdown or when the task is cancelled.
    func next() async throws -> Notification? {
        while true {
            if let payload = payloads.popFirst() { return .message(payload: payload) }
            do {
                guard let session else {
                    return try await subscribe()
                }
                payloads += try await session.notifications()
            } catch let error as PostgresError {
                await dropSession()
                switch error.code {
                case .shutDown, .cancelled: return nil
                case .connectionLost, .connectionFailed, .timeout:
                    guard hasSubscribed else { throw error }
                    await backOff(error)
                default: throw error
                }
            }
        }
    }

    private func subscribe() async throws -> Notification {
        let session = Session(id: 0, loop: pool.loop, configuration: pool.configuration, keepsNotifications: true)
        try await pool.adopt(listener: session)
        self.session = session
        try await session.connect()
        let lease = await session.beginLease(nil)
        _ = try await session.run(["LISTEN \(identifier: channel)"], lease: lease, timeout: nil)
        failures = 0
        defer { hasSubscribed = true }
        return hasSubscribed ? .reconnected : .subscribed
    }

    private func dropSession() async {
        guard let session else { return }
        self.session = nil
        await pool.dismiss(listener: session)
    }

    private func backOff(_ error: PostgresError) async {
        logger.warning("Listening again after an error", metadata: ["channel": "\(channel)", "error": "\(error)"])
        let delay = Self.delays[min(failures, Self.delays.count - 1)]
        failures += 1
        // When the task is cancelled, the next attempt says so.
        try? await Task.sleep(for: delay)
    }
}

extension Session {
    /// Waits for notifications and returns their payloads, one or more.
    func notifications() async throws -> [String] {
        try await perform(timeout: .seconds(Int64.max)) {
            var payloads: [String] = []
            while true {
                while let notification = PQnotifies(try self.pointer) {
                    payloads.append(String(cString: notification.pointee.extra))
                    PQfreemem(notification)
                }
                guard payloads.isEmpty else { return payloads }
                try await self.wait(for: EPOLLIN)
                try self.receive()
                // Only this makes libpq look for messages.
                _ = PQisBusy(try self.pointer)
            }
        }
    }
}

import DequeModule

/// The pool's rules, without sockets, tasks or clocks: every event returns the action to take.
///
/// A request gets, in this order: an idle connection (the one used last, so that surplus ones grow old), the right to
/// make one, or a place in the queue, which is served first come, first served.
struct PoolStateMachine {
    typealias ConnectionID = Int
    typealias RequestID = Int

    /// What a request gets.
    enum Grant: Hashable {
        case use(ConnectionID)
        /// The request is to make this connection, then to report `connected` or `closed`.
        case connect(ConnectionID)
    }

    enum AcquireAction: Hashable {
        case grant(Grant)
        case wait
        case refuse
    }

    enum Action: Hashable {
        case none
        /// The connection is idle now.
        case park(ConnectionID)
        case close(ConnectionID)
        /// A waiting request goes on.
        case resume(RequestID, Grant)
        /// After shutdown: the last connection is gone.
        case finished
    }

    private enum Use {
        case connecting, leased, idle
        /// Told to close, not yet gone.
        case closing
    }

    let limit: Int
    private var connections: [ConnectionID: Use] = [:]
    private var idle: [ConnectionID] = []
    private var queue = Deque<RequestID>()
    private var lastID = 0
    private(set) var isShutDown = false

    init(limit: Int) {
        self.limit = max(limit, 1)
    }

    var connectionCount: Int { connections.count }
    var idleCount: Int { idle.count }
    var queueLength: Int { queue.count }
    var isFinished: Bool { isShutDown && connections.isEmpty }

    /// A task asks for a connection.
    mutating func acquire(_ request: RequestID) -> AcquireAction {
        if isShutDown { return .refuse }
        if let connection = idle.popLast() {
            connections[connection] = .leased
            return .grant(.use(connection))
        }
        if connections.count < limit { return .grant(.connect(reserve())) }
        queue.append(request)
        return .wait
    }

    /// A waiting request gives up. False: it was granted before.
    mutating func withdraw(_ request: RequestID) -> Bool {
        guard let index = queue.firstIndex(of: request) else { return false }
        queue.remove(at: index)
        return true
    }

    /// A connection was made; the request that made it uses it. False: the client was shut down meanwhile, close it.
    mutating func connected(_ connection: ConnectionID) -> Bool {
        connections[connection] = isShutDown ? .closing : .leased
        return !isShutDown
    }

    /// A request is done with a connection.
    mutating func release(_ connection: ConnectionID) -> Action {
        guard connections[connection] == .leased else { return .none }
        if isShutDown {
            connections[connection] = .closing
            return .close(connection)
        }
        if let request = queue.popFirst() { return .resume(request, .use(connection)) }
        connections[connection] = .idle
        idle.append(connection)
        return .park(connection)
    }

    /// A connection is gone or was never made. Its place goes to the first in the queue.
    mutating func closed(_ connection: ConnectionID) -> Action {
        guard connections.removeValue(forKey: connection) != nil else { return .none }
        idle.removeAll { $0 == connection }
        if isShutDown { return connections.isEmpty ? .finished : .none }
        guard let request = queue.popFirst() else { return .none }
        return .resume(request, .connect(reserve()))
    }

    /// An idle connection is not wanted any more: too old, or dead.
    mutating func retire(_ connection: ConnectionID) -> Action {
        guard connections[connection] == .idle else { return .none }
        idle.removeAll { $0 == connection }
        connections[connection] = .closing
        return .close(connection)
    }

    /// What is to be done at shutdown.
    struct Shutdown: Equatable {
        var refuse: [RequestID] = []
        var close: [ConnectionID] = []
        /// Connections in the making.
        var abort: [ConnectionID] = []
    }

    /// From now on there are no requests.
    mutating func shutDown() -> Shutdown {
        guard !isShutDown else { return Shutdown() }
        isShutDown = true
        let connecting = connections.filter { $0.value == .connecting }.keys.sorted()
        let shutdown = Shutdown(refuse: Array(queue), close: idle, abort: connecting)
        for connection in idle { connections[connection] = .closing }
        queue.removeAll()
        idle.removeAll()
        return shutdown
    }

    private mutating func reserve() -> ConnectionID {
        lastID += 1
        connections[lastID] = .connecting
        return lastID
    }
}

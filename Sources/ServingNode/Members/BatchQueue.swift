import DequeModule

/// How calls to a member are joined.
struct BatchLimits: Sendable {
    /// Most rows of one call.
    var rows = 256
    /// Most calls on their way at the same time.
    var calls = 16
    /// Most rows that wait.
    var waitingRows = 65_536
    /// How long rows wait for others while the member is busy.
    var wait = Duration.milliseconds(2)
}

/// Joins what waits for one member into calls: nothing waits while the member is idle, and while it is busy what comes
/// in is sent together, when a call ends, when enough rows wait or when they have waited long enough.
///
/// A pure state machine: calls and timers are made by whoever it tells to.
struct BatchQueue<Item: Sendable, Kind: Hashable & Sendable>: Sendable {
    /// What to do now.
    enum Action {
        /// Send these in one call, and say ``ended()`` when it has ended.
        case call([Item])
        /// Say ``waited(_:)`` with this number after the wait.
        case wait(Int)
    }

    private struct Entry: Sendable {
        let item: Item
        let kind: Kind
        let rows: Int
    }

    private let limits: BatchLimits
    private var waiting: Deque<Entry> = []
    private var waitingRows = 0
    private var calls = 0
    /// The number of the timer that is running, and of timers so far.
    private var timer: Int?
    private var timers = 0

    init(_ limits: BatchLimits = BatchLimits()) { self.limits = limits }

    /// Takes an item in; nil when too many rows wait already.
    ///
    /// - Parameters:
    ///   - kind: only items of one kind can be joined.
    ///   - rows: rows of the item, at most the limit of a call.
    mutating func add(_ item: Item, kind: Kind, rows: Int) -> [Action]? {
        guard waitingRows + rows <= limits.waitingRows else { return nil }
        waiting.append(Entry(item: item, kind: kind, rows: rows))
        waitingRows += rows
        return calls == 0 || waitingRows >= limits.rows ? send() : startWaiting()
    }

    /// A call has ended: what has waited goes.
    mutating func ended() -> [Action] {
        calls -= 1
        return send()
    }

    /// A wait is over.
    mutating func waited(_ number: Int) -> [Action] {
        guard number == timer else { return [] }
        timer = nil
        return send()
    }

    /// Makes calls of what waits, as far as calls may be made; the rest waits for one of them to end.
    private mutating func send() -> [Action] {
        var actions: [Action] = []
        while calls < limits.calls, let first = waiting.first {
            var (items, rows): ([Item], Int) = ([], 0)
            var passed: [Entry] = []
            while let entry = waiting.first, rows + entry.rows <= limits.rows {
                waiting.removeFirst()
                guard entry.kind == first.kind else {
                    passed.append(entry)
                    continue
                }
                items.append(entry.item)
                rows += entry.rows
            }
            waiting.prepend(contentsOf: passed)
            waitingRows -= rows
            calls += 1
            actions.append(.call(items))
        }
        if waiting.isEmpty { timer = nil }
        return actions
    }

    private mutating func startWaiting() -> [Action] {
        guard timer == nil else { return [] }
        timers += 1
        timer = timers
        return [.wait(timers)]
    }
}

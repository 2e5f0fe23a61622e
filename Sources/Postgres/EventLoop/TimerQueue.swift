import DequeModule
import Glibc

/// A point of the monotonic clock.
struct MonotonicTime: Comparable {
    var nanoseconds: Int64

    static func now() -> MonotonicTime {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return MonotonicTime(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    static func < (left: MonotonicTime, right: MonotonicTime) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// Saturates after some 290 years.
    static func + (time: MonotonicTime, delay: Duration) -> MonotonicTime {
        let (seconds, attoseconds) = delay.components
        let (scaled, isTooLong) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, isLate) = time.nanoseconds.addingReportingOverflow(scaled)
        if isTooLong || isLate { return MonotonicTime(nanoseconds: seconds < 0 ? 0 : .max) }
        return MonotonicTime(nanoseconds: sum + min(attoseconds / 1_000_000_000, .max - max(sum, 0)))
    }
}

/// Deadlines in order of time. Most are set with the same delay, so that insertion is nearly always at the end.
struct TimerQueue {
    /// Names a deadline, to cancel it.
    struct Token: Comparable {
        var time: MonotonicTime
        var number: Int

        static func < (left: Token, right: Token) -> Bool {
            (left.time, left.number) < (right.time, right.number)
        }
    }

    private struct Entry {
        var token: Token
        var action: () -> Void
    }

    private var entries = Deque<Entry>()
    private var count = 0

    var next: MonotonicTime? { entries.first?.token.time }

    mutating func insert(at time: MonotonicTime, _ action: @escaping () -> Void) -> Token {
        count += 1
        let token = Token(time: time, number: count)
        entries.insert(Entry(token: token, action: action), at: position(of: token))
        return token
    }

    mutating func remove(_ token: Token) {
        let position = position(of: token)
        if position < entries.count, entries[position].token == token { entries.remove(at: position) }
    }

    mutating func popDue(at time: MonotonicTime) -> (() -> Void)? {
        guard let next, next <= time else { return nil }
        return entries.removeFirst().action
    }

    mutating func removeAll() {
        entries.removeAll()
    }

    /// The index of the first entry that is not before `token`.
    private func position(of token: Token) -> Int {
        if let last = entries.last, last.token < token { return entries.count }
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].token < token { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

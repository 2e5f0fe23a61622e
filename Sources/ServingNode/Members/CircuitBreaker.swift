/// Keeps calls away from a member that fails, and lets one through now and then to see whether it is back.
///
/// A pure state machine: it is told the time.
struct CircuitBreaker: Sendable {
    /// When to stop calling and for how long.
    struct Settings: Sendable {
        /// Failures in a row that open the breaker.
        var failures = 5
        /// How long it stays open the first time; each failed probe doubles it.
        var pause = Duration.seconds(1)
        /// The pause stops growing here.
        var longestPause = Duration.seconds(30)
    }

    /// What the breaker does with calls.
    enum State: Hashable, Sendable {
        /// Calls pass; so many failed in a row.
        case closed(failures: Int)
        /// No call passes before this time.
        case open(until: ContinuousClock.Instant)
        /// One call is on its way to see whether the member is back.
        case halfOpen
    }

    private let settings: Settings
    private var pause: Duration
    private(set) var state = State.closed(failures: 0)

    init(_ settings: Settings = Settings()) {
        self.settings = settings
        pause = settings.pause
    }

    /// Whether a call may be made now. Who is told so must say how it went, by ``succeed()``, ``fail(at:)`` or
    /// ``abandon(at:)``.
    mutating func admit(at now: ContinuousClock.Instant) -> Bool {
        switch state {
        case .closed: return true
        case .halfOpen: return false
        case .open(let until):
            guard now >= until else { return false }
            state = .halfOpen
            return true
        }
    }

    /// A call was answered.
    mutating func succeed() {
        // An answer to a call from before the breaker opened says nothing of now.
        if case .open = state { return }
        state = .closed(failures: 0)
        pause = settings.pause
    }

    /// A call failed.
    mutating func fail(at now: ContinuousClock.Instant) {
        switch state {
        case .closed(let failures) where failures + 1 < settings.failures: state = .closed(failures: failures + 1)
        case .closed: state = .open(until: now + pause)
        case .halfOpen:
            pause = min(pause * 2, settings.longestPause)
            state = .open(until: now + pause)
        case .open: break
        }
    }

    /// A call that had been admitted was not made after all.
    mutating func abandon(at now: ContinuousClock.Instant) {
        if state == .halfOpen { state = .open(until: now) }
    }
}

/// Which of the failures of poll after poll are worth a line in the log: the first of a kind, then one now and then.
struct FaultSeries: Sendable {
    /// Time between two lines about the same fault.
    let interval: Duration
    private var fault: (code: String, last: ContinuousClock.Instant)?

    init(interval: Duration) {
        self.interval = interval
    }

    /// Takes note of a failure, and says whether to log it.
    mutating func shouldLog(_ code: String, at now: ContinuousClock.Instant) -> Bool {
        if let fault, fault.code == code, now - fault.last < interval { return false }
        fault = (code, now)
        return true
    }

    /// Takes note of a success, and returns the fault that it ends.
    mutating func end() -> String? {
        defer { fault = nil }
        return fault?.code
    }
}

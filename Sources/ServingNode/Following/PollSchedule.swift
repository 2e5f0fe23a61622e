/// When to ask the registry next.
///
/// Jitter keeps nodes that started together from asking together; after failures the pause is drawn from a range that
/// doubles ("full jitter"), so that nodes which lost the registry together do not all come back at once.
struct PollSchedule: Sendable {
    let interval: Duration
    let longestBackoff: Duration
    private(set) var failures = 0

    init(interval: Duration, longestBackoff: Duration) {
        self.interval = interval
        self.longestBackoff = longestBackoff
    }

    /// The pause after a poll.
    mutating func delay(afterFailure isFailure: Bool, using generator: inout some RandomNumberGenerator) -> Duration {
        guard isFailure else {
            failures = 0
            return interval * Double.random(in: 0.9...1.1, using: &generator)
        }
        failures += 1
        let bound = min(longestBackoff, .seconds(1) * (1 << min(failures - 1, 20)))
        return bound * Double.random(in: 0...1, using: &generator)
    }
}

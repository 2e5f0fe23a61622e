/// When to ask the registry next.
///
/// A registry that holds its answers sets the pace by itself; one that does not is asked at most once in `interval`.
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
    ///
    /// - Parameter elapsed: how long the poll took; after a success it counts towards the interval.
    mutating func delay(
        afterFailure isFailure: Bool, elapsed: Duration = .zero, using generator: inout some RandomNumberGenerator
    ) -> Duration {
        guard isFailure else {
            failures = 0
            return max(.zero, interval * Double.random(in: 0.9...1.1, using: &generator) - elapsed)
        }
        failures += 1
        let bound = min(longestBackoff, .seconds(1) * (1 << min(failures - 1, 20)))
        return bound * Double.random(in: 0...1, using: &generator)
    }
}

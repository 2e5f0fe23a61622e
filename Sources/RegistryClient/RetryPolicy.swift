/// How often and how soon a repeatable request is tried again: exponential backoff with full jitter, so that clients
/// that failed together do not come back together.
public struct RetryPolicy: Hashable, Sendable {
    /// Attempts in all; 1 never tries again.
    public var attempts: Int
    /// The first delay is between nothing and this; each later one doubles the bound.
    public var base: Duration
    /// The bound stops growing here.
    public var cap: Duration
    /// A registry that asks for a longer pause (`Retry-After`) gets this.
    public var longestRetryAfter: Duration

    /// Creates a policy.
    public init(
        attempts: Int = 4, base: Duration = .milliseconds(100), cap: Duration = .seconds(5),
        longestRetryAfter: Duration = .seconds(30)
    ) {
        self.attempts = attempts
        self.base = base
        self.cap = cap
        self.longestRetryAfter = longestRetryAfter
    }

    /// Every request once.
    public static let never = RetryPolicy(attempts: 1)

    /// How long to pause before the next attempt, or nil to give up.
    ///
    /// - Parameters:
    ///   - attempt: attempts made so far, 1 or more.
    ///   - retryAfter: the pause the registry asked for; the jitter comes on top.
    public func delay(
        after attempt: Int, retryAfter: Duration?, using generator: inout some RandomNumberGenerator
    ) -> Duration? {
        guard attempt < attempts else { return nil }
        let bound = min(cap, base * (1 << min(attempt - 1, 20)))
        let jitter = bound * Double.random(in: 0...1, using: &generator)
        return min(max(retryAfter ?? .zero, .zero), longestRetryAfter) + jitter
    }
}

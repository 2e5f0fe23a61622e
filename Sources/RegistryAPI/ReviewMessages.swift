/// Approves of a decision that waits for it, or rejects it; which of them the path says.
public struct ReviewRequest: Hashable, Sendable, Codable {
    /// Why; a rejection needs it.
    public var reason: String?

    public init(reason: String?) {
        self.reason = reason
    }
}

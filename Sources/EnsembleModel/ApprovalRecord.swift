public import struct Foundation.Date

/// What somebody said of a decision that waited for approval.
public struct ReviewRecord: Hashable, Sendable, Codable {
    /// Which way.
    public enum Answer: String, Hashable, Sendable, Codable, CaseIterable {
        case approve
        case reject
    }

    /// Who.
    public var reviewer: String
    public var answer: Answer
    /// Why; empty when an approver did not say.
    public var reason: String
    public var at: Date

    public init(reviewer: String, answer: Answer, reason: String, at: Date) {
        self.reviewer = reviewer
        self.answer = answer
        self.reason = reason
        self.at = at
    }
}

/// Where a decision stands that is published only when people approve of it.
public struct ApprovalRecord: Hashable, Sendable, Codable {
    /// Where it stands.
    public enum State: String, Hashable, Sendable, Codable, CaseIterable {
        case pending
        /// By enough people, and so published.
        case approved
        /// For good. The verdict stays what the rows said.
        case rejected
        /// What it was evaluated against has changed; approvals of it count for nothing any more.
        case superseded
    }

    public var state: State
    /// People who must approve: 1 or 2.
    public var needed: Int
    /// In the order they came.
    public var reviews: [ReviewRecord]
    /// What changed, of a superseded one.
    public var supersededBecause: String?

    public init(state: State, needed: Int, reviews: [ReviewRecord], supersededBecause: String?) {
        self.state = state
        self.needed = needed
        self.reviews = reviews
        self.supersededBecause = supersededBecause
    }

    /// Who approved, in the order they did.
    public var approvers: [String] { reviews.filter { $0.answer == .approve }.map(\.reviewer) }

    /// Who rejected it, and why.
    public var rejection: ReviewRecord? { reviews.first { $0.answer == .reject } }

    enum CodingKeys: String, CodingKey {
        case state, needed, reviews
        case supersededBecause = "superseded_because"
    }
}

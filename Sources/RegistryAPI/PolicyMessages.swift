public import EnsembleModel

/// Asks for a new version of an ensemble's policy.
public struct SetPolicyRequest: Hashable, Sendable, Codable {
    /// The whole policy; switches left out take their defaults.
    public var policy: Policy
    /// Why, for the history.
    public var reason: String?

    public init(policy: Policy, reason: String?) {
        self.policy = policy
        self.reason = reason
    }
}

public import EnsembleModel

/// A hand on a rollout.
public struct RolloutRequest: Hashable, Sendable, Codable {
    public var action: RolloutSteering
    /// Why, for the audit.
    public var reason: String

    public init(action: RolloutSteering, reason: String) {
        self.action = action
        self.reason = reason
    }
}

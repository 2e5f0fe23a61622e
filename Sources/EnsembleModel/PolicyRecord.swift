public import struct Foundation.Date

/// A version of an ensemble's policy.
public struct PolicyRecord: Hashable, Sendable, Codable {
    public var ensemble: String
    /// 1, 2, ...; the highest is in force.
    public var version: Int
    public var policy: Policy
    /// What it changed of the version before; empty for the first.
    public var changes: [PolicyChange]
    /// Why it was set; empty when nobody said.
    public var reason: String
    public var createdAt: Date
    public var createdBy: String

    public init(
        ensemble: String, version: Int, policy: Policy, changes: [PolicyChange], reason: String, createdAt: Date,
        createdBy: String
    ) {
        self.ensemble = ensemble
        self.version = version
        self.policy = policy
        self.changes = changes
        self.reason = reason
        self.createdAt = createdAt
        self.createdBy = createdBy
    }

    enum CodingKeys: String, CodingKey {
        case ensemble, version, policy, changes, reason
        case createdAt = "created_at"
        case createdBy = "created_by"
    }
}

/// A switch that differs between two policies.
public struct PolicyChange: Hashable, Sendable, Codable {
    /// E.g. `gate.alpha`.
    public var name: String
    /// nil when the switch was not set.
    public var before: String?
    /// nil when the switch is not set any more.
    public var after: String?

    public init(name: String, before: String?, after: String?) {
        self.name = name
        self.before = before
        self.after = after
    }

    enum CodingKeys: String, CodingKey {
        case before, after
        case name = "switch"
    }
}

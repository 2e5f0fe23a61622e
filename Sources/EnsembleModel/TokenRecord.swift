public import struct Foundation.Date

/// What a token allows.
public enum Scope: String, Hashable, Sendable, Codable, CaseIterable {
    /// See ensembles, models, decisions and manifests.
    case read
    /// Register models and submit predictions.
    case submit
    /// See what only auditors may.
    case audit
    /// Follow manifests, as serving nodes do.
    case node
    /// Everything, tokens included.
    case admin
}

/// An API token, without its secret.
public struct TokenRecord: Hashable, Sendable, Codable {
    public var id: Int64
    /// Who the token stands for: the identity that audit events and records carry.
    public var name: String
    public var scopes: [Scope]
    public var createdAt: Date
    public var createdBy: String
    public var revokedAt: Date?

    public init(id: Int64, name: String, scopes: [Scope], createdAt: Date, createdBy: String, revokedAt: Date?) {
        self.id = id
        self.name = name
        self.scopes = scopes
        self.createdAt = createdAt
        self.createdBy = createdBy
        self.revokedAt = revokedAt
    }

    enum CodingKeys: String, CodingKey {
        case id, name, scopes
        case createdAt = "created_at"
        case createdBy = "created_by"
        case revokedAt = "revoked_at"
    }
}

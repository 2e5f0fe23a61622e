public import EnsembleModel

/// Asks for a new token.
public struct CreateTokenRequest: Hashable, Sendable, Codable {
    public var name: String
    public var scopes: [Scope]

    public init(name: String, scopes: [Scope]) {
        self.name = name
        self.scopes = scopes
    }
}

/// A new token: the only time its secret is shown.
public struct CreatedToken: Hashable, Sendable, Codable {
    public var token: TokenRecord
    public var secret: String

    public init(token: TokenRecord, secret: String) {
        self.token = token
        self.secret = secret
    }
}

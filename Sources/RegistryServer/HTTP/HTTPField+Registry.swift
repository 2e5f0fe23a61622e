import HTTPTypes

extension HTTPField.Name {
    /// `X-Request-ID`: the id under which the daemon's log knows a request.
    static let requestID = Self.literal("X-Request-ID")
    /// `Idempotency-Key` (IETF draft-ietf-httpapi-idempotency-key-header).
    static let idempotencyKey = Self.literal("Idempotency-Key")
    /// `Content-Digest` (RFC 9530).
    static let contentDigest = Self.literal("Content-Digest")

    private static func literal(_ name: StaticString) -> Self {
        guard let field = Self("\(name)") else { preconditionFailure("\(name) is not a header name") }
        return field
    }
}

import EnsembleModel
import Foundation
import HTTPTypes

extension HTTPField.Name {
    /// `X-Request-ID`: the id under which the daemon's log knows a request.
    static let requestID = Self.literal("X-Request-ID")
    /// `Idempotency-Key` (IETF draft-ietf-httpapi-idempotency-key-header).
    static let idempotencyKey = Self.literal("Idempotency-Key")
    /// `Content-Digest` (RFC 9530).
    static let contentDigest = Self.literal("Content-Digest")

    /// `Prefer` and `Preference-Applied` (RFC 7240).
    static let prefer = Self.literal("Prefer")
    static let preferenceApplied = Self.literal("Preference-Applied")

    private static func literal(_ name: StaticString) -> Self {
        guard let field = Self("\(name)") else { preconditionFailure("\(name) is not a header name") }
        return field
    }
}

extension HTTPFields {
    /// Fields of content that never changes under its digest: strong ETag.
    ///
    /// - Parameters:
    ///   - length: in bytes.
    ///   - forever: whether the URL itself names the content, so that caches may keep it for good.
    static func content(digest: ContentDigest, length: Int, type: String, forever: Bool) -> HTTPFields {
        [
            .contentType: type, .contentLength: "\(length)", .eTag: "\"\(digest.hex)\"",
            .cacheControl: forever ? "private, max-age=31536000, immutable" : "private, no-cache",
        ]
    }

    /// The secret of `Authorization: Bearer TOKEN`; nil without it.
    var bearer: String? {
        let parts = (self[.authorization] ?? "").split(separator: " ", maxSplits: 1)
        return parts.count == 2 && parts[0].lowercased() == "bearer" ? String(parts[1]) : nil
    }
}

/// The time now as `Date` gives it (RFC 9110).
enum HTTPDate {
    static var now: String {
        var (seconds, parts) = (time(nil), tm())
        gmtime_r(&seconds, &parts)
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 32) { text in
            guard let start = text.baseAddress,
                strftime(start, text.count, "%a, %d %b %Y %H:%M:%S GMT", &parts) > 0
            else { return "" }
            return String(cString: start)
        }
    }
}

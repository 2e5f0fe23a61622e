import EnsembleModel
import Foundation
import HTTPTypes
import RegistryAPI
import Trust

/// A request that waits for news of an ensemble: `GET /tuf/NAME/metadata/timestamp.json?after=GENERATION.SEQUENCE` with
/// `Prefer: wait=SECONDS`; from a node that a rollout has not reached also with `&rollout=SHARE`.
struct PollRequest {
    let head: HTTPRequest
    let ensemble: String
    /// What the asker has.
    let after: KnownHead
    /// Seconds that it wants to wait at most.
    let wait: Int

    /// Reads a request's head; nil for anything else, however little it differs: the routes know what to say of it.
    init?(_ head: HTTPRequest, limits: DaemonLimits) {
        guard head.method == .get, head.headerFields[.connection] == nil, let path = head.path,
            path.hasPrefix(Self.prefix), let query = path.firstIndex(of: "?"),
            path[..<query].hasSuffix(Self.suffix), let after = Self.known(path[query...].dropFirst()),
            let wait = Self.preferredWait(head.headerFields, limits: limits)
        else { return nil }
        let ensemble = path[..<query].dropFirst(Self.prefix.count).dropLast(Self.suffix.count)
        guard (try? Name.check(ensemble, as: "ensemble")) != nil else { return nil }
        self.head = head
        self.ensemble = String(ensemble)
        self.after = after
        self.wait = wait
    }

    /// Reads `after=GENERATION.SEQUENCE` or that with `&rollout=SHARE`.
    private static func known(_ query: Substring) -> KnownHead? {
        let parts = query.split(separator: "&", omittingEmptySubsequences: false)
        guard let after = value(of: "after", parts.first), parts.count <= 2 else { return nil }
        guard parts.count == 2 else { return try? KnownHead(after: after, rollout: nil) }
        return value(of: "rollout", parts.last).flatMap { try? KnownHead(after: after, rollout: $0) }
    }

    private static func value(of name: String, _ part: Substring?) -> String? {
        guard let part, part.hasPrefix(name + "=") else { return nil }
        return String(part.dropFirst(name.count + 1))
    }

    private static let prefix = APIPath.metadata + "/"
    private static let suffix = "/metadata/" + MetadataRole.timestamp.fileName(version: 0)

    /// How long it is held: drawn anew for every poll, so that nodes that came together do not come back together.
    static func holding(_ wait: Int) -> Duration { .seconds(wait) * Double.random(in: 0.9...1) }

    /// Seconds of `Prefer: wait=N` (RFC 7240), at most those that the daemon holds polls; nil without it.
    static func preferredWait(_ fields: HTTPFields, limits: DaemonLimits) -> Int? {
        for field in fields[values: .prefer] {
            for preference in field.utf8.split(whereSeparator: { $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: ";") }) {
                let parts = preference.split(separator: UInt8(ascii: "="), omittingEmptySubsequences: false)
                    .map(trimmed)
                if parts.count == 2, parts[0].lowercased() == "wait", let seconds = Int(parts[1]), seconds >= 0 {
                    return min(seconds, Int(limits.pollWait.components.seconds))
                }
            }
        }
        return nil
    }

    /// Without white space around it. Polls are many: Foundation's way costs more than reading all the rest.
    private static func trimmed(_ text: Substring.UTF8View) -> Substring {
        func isSpace(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        guard let first = text.firstIndex(where: { !isSpace($0) }), let last = text.lastIndex(where: { !isSpace($0) })
        else { return "" }
        return Substring(text[first...last])
    }
}

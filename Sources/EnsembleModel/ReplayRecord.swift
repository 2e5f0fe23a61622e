public import struct Foundation.Date

/// A decision computed again from its stored inputs.
public struct ReplayRecord: Hashable, Sendable, Codable {
    /// A place where stored and recomputed evidence differ; values in canonical form, doubles as bits and number.
    public struct Difference: Hashable, Sendable, Codable {
        /// E.g. `sealed.gate.comparison.z`.
        public var path: String
        /// nil when only the recomputed evidence has the place.
        public var stored: String?
        /// nil when only the stored evidence has the place.
        public var recomputed: String?

        /// Creates a difference.
        public init(path: String, stored: String?, recomputed: String?) {
            self.path = path
            self.stored = stored
            self.recomputed = recomputed
        }
    }

    public var decision: Int64
    /// The work under which it was replayed.
    public var evaluation: Int64
    /// Whether every number, hash and setting is the same, bit for bit.
    public var identical: Bool
    /// SHA-256 of the evidence as it was decided, and as it came out now.
    public var stored: ContentDigest
    public var recomputed: ContentDigest
    /// Where they differ; the first of them when there are many.
    public var differences: [Difference]
    /// The program that decided, and the one that replayed.
    public var decidedWith: String
    public var replayedWith: String
    /// Time the computation took.
    public var seconds: Double
    public var replayedAt: Date

    /// Creates a record.
    public init(
        decision: Int64, evaluation: Int64, identical: Bool, stored: ContentDigest, recomputed: ContentDigest,
        differences: [Difference], decidedWith: String, replayedWith: String, seconds: Double, replayedAt: Date
    ) {
        self.decision = decision
        self.evaluation = evaluation
        self.identical = identical
        self.stored = stored
        self.recomputed = recomputed
        self.differences = differences
        self.decidedWith = decidedWith
        self.replayedWith = replayedWith
        self.seconds = seconds
        self.replayedAt = replayedAt
    }

    enum CodingKeys: String, CodingKey {
        case decision, evaluation, identical, stored, recomputed, differences, seconds
        case decidedWith = "decided_with"
        case replayedWith = "replayed_with"
        case replayedAt = "replayed_at"
    }
}

extension CanonicalValue {
    /// Where two values differ, in the order of their keys, at most `limit` places.
    ///
    /// - Parameter path: name of this place.
    public func differences(from stored: CanonicalValue, at path: String, limit: Int = 100) -> [ReplayRecord.Difference]
    {
        var found: [ReplayRecord.Difference] = []
        Self.compare(stored, self, path, limit: limit, into: &found)
        return found
    }

    private static func compare(
        _ stored: CanonicalValue?, _ recomputed: CanonicalValue?, _ path: String, limit: Int,
        into found: inout [ReplayRecord.Difference]
    ) {
        guard stored != recomputed, found.count < limit else { return }
        switch (stored, recomputed) {
        case (.object(let old)?, .object(let new)?):
            for key in Set(old.keys).union(new.keys).sorted(by: { $0.precedes($1) }) {
                compare(old[key], new[key], "\(path).\(key)", limit: limit, into: &found)
            }
        case (.array(let old)?, .array(let new)?):
            for index in 0..<max(old.count, new.count) {
                compare(
                    old.indices.contains(index) ? old[index] : nil, new.indices.contains(index) ? new[index] : nil,
                    "\(path)[\(index)]", limit: limit, into: &found)
            }
        default:
            found.append(
                ReplayRecord.Difference(path: path, stored: stored?.shown, recomputed: recomputed?.shown))
        }
    }

    /// For people: the canonical text, with the number beside a double's bits.
    private var shown: String {
        let text = String(decoding: bytes, as: UTF8.self)
        guard case .string(let digits) = self, digits.utf8.count == 16, let bits = UInt64(digits, radix: 16) else {
            return text
        }
        return "\(Double(bitPattern: bits)) (\(digits))"
    }
}

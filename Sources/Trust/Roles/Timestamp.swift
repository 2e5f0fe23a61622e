public import EnsembleModel

public import struct Foundation.Date

/// What TUF's metadata says of another metadata file.
public struct FileReference: Hashable, Sendable {
    /// Its version.
    public var version: Int
    /// Its length in bytes, if said.
    public var length: Int?
    /// Its digest, if said.
    public var sha256: ContentDigest?
    /// Members that we do not know, kept.
    var other: [String: CanonicalValue] = [:]

    /// Creates a reference.
    public init(version: Int, length: Int?, sha256: ContentDigest?) {
        self.version = version
        self.length = length
        self.sha256 = sha256
    }

    init(_ value: CanonicalValue, place: String, role: MetadataRole) throws(TrustError) {
        var fields = try Fields(value, place: place, role: role)
        version = try fields.integer("version", atLeast: 1)
        length = fields.rest["length"] == nil ? nil : try fields.integer("length", atLeast: 0)
        if fields.rest["hashes"] != nil {
            var hashes = try fields.fields("hashes")
            sha256 = try hashes.digest("sha256")
        }
        other = fields.rest
    }

    var value: CanonicalValue {
        var members = other
        members["version"] = .integer(Int64(version))
        members["length"] = length.map { .integer(Int64($0)) }
        members["hashes"] = sha256.map { ["sha256": .string($0.hex)] }
        return .object(members)
    }
}

/// The place of a published manifest: an ensemble's generation (raised when a backup is restored) and its sequence.
public struct ManifestPosition: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// From 1.
    public var generation: Int
    /// From 1 in each generation.
    public var sequence: Int

    /// Creates a position.
    public init(generation: Int, sequence: Int) {
        self.generation = generation
        self.sequence = sequence
    }

    /// `GENERATION.SEQUENCE`.
    public var description: String { "\(generation).\(sequence)" }

    public static func < (left: Self, right: Self) -> Bool {
        (left.generation, left.sequence) < (right.generation, right.sequence)
    }
}

/// The timestamp: which snapshot is the newest. One an ensemble, renewed every minute.
public struct Timestamp: SignedContent {
    public static let role = MetadataRole.timestamp

    public var version: Int
    public var expires: Date
    /// The newest snapshot.
    public var snapshot: FileReference
    /// The ensemble that it is for, so that none is taken for another's; nil when it does not say so.
    public var ensemble: String?
    /// The newest manifest's place; nil when it does not say so.
    public var position: ManifestPosition?
    /// Ten-thousandths of the nodes that may serve the newest manifest, 0 to 10,000; nil for all.
    public var rollout: Int?
    /// Members that we do not know, kept.
    public var other: [String: CanonicalValue] = [:]

    /// Creates a timestamp.
    public init(
        version: Int, expires: Date, snapshot: FileReference, ensemble: String?, position: ManifestPosition?,
        rollout: Int? = nil
    ) {
        self.version = version
        self.expires = expires
        self.snapshot = snapshot
        self.ensemble = ensemble
        self.position = position
        self.rollout = rollout
    }

    public init(value: CanonicalValue) throws(TrustError) {
        var fields = try Fields(signed: value, role: .timestamp)
        version = try fields.version()
        expires = try fields.expires()
        var meta = try fields.fields("meta")
        snapshot = try FileReference(
            meta.required("snapshot.json"), place: "the timestamp's snapshot.json", role: .timestamp)
        ensemble = try fields.ensemble()
        if fields.rest["generation"] != nil || fields.rest["sequence"] != nil {
            position = ManifestPosition(
                generation: try fields.integer("generation", atLeast: 0),
                sequence: try fields.integer("sequence", atLeast: 0))
        }
        if fields.rest["rollout"] != nil {
            let share = try fields.integer("rollout", atLeast: 0)
            guard share <= Rollout.whole else { throw fields.malformed("'rollout' is over \(Rollout.whole)") }
            rollout = share
        }
        other = fields.rest
    }

    public var value: CanonicalValue {
        var own: [String: CanonicalValue] = ["meta": ["snapshot.json": snapshot.value]]
        own["generation"] = position.map { .integer(Int64($0.generation)) }
        own["sequence"] = position.map { .integer(Int64($0.sequence)) }
        own["rollout"] = rollout.map { .integer(Int64($0)) }
        return .signed(.timestamp, version: version, expires: expires, ensemble: ensemble, own, other: other)
    }
}

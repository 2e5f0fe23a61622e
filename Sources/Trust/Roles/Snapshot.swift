public import EnsembleModel

public import struct Foundation.Date

/// The snapshot: which version of every targets metadata belongs together. One an ensemble.
public struct Snapshot: SignedContent {
    public static let role = MetadataRole.snapshot
    static let targetsName = "targets.json"

    public var version: Int
    public var expires: Date
    /// Every targets metadata by name; ours has `targets.json` only.
    public var meta: [String: FileReference]
    /// The ensemble that it is for; nil when it does not say so.
    public var ensemble: String?
    /// Members that we do not know, kept.
    public var other: [String: CanonicalValue] = [:]

    /// Creates a snapshot of one targets metadata.
    public init(version: Int, expires: Date, targets: FileReference, ensemble: String?) {
        self.version = version
        self.expires = expires
        meta = [Self.targetsName: targets]
        self.ensemble = ensemble
    }

    public init(value: CanonicalValue) throws(TrustError) {
        var fields = try Fields(signed: value, role: .snapshot)
        version = try fields.version()
        expires = try fields.expires()
        meta = [:]
        for (name, value) in try fields.members("meta") {
            meta[name] = try FileReference(value, place: "the snapshot's \(name.prefix(128))", role: .snapshot)
        }
        guard meta[Self.targetsName] != nil else { throw fields.malformed("'\(Self.targetsName)' is missing") }
        ensemble = try fields.ensemble()
        other = fields.rest
    }

    public var value: CanonicalValue {
        .signed(
            .snapshot, version: version, expires: expires, ensemble: ensemble,
            ["meta": .object(meta.mapValues(\.value))], other: other)
    }
}

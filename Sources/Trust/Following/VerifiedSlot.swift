public import EnsembleModel

public import struct Foundation.Date

/// A stored set of metadata that belongs together, verified without a network: what a node serves from after a restart.
///
/// Expiry is reported, never a reason to refuse.
public struct VerifiedSlot: Sendable {
    /// The root that the slot was verified under.
    public let root: Root
    /// Its timestamp.
    public let timestamp: Timestamp
    /// Its snapshot.
    public let snapshot: Snapshot
    /// Its targets.
    public let targets: Targets
    /// The roles whose metadata is past its expiry: the slot is *stale* if there are any.
    public let expired: [MetadataRole]

    /// Verifies signatures, digests, versions and, when given, the ensemble.
    ///
    /// - Throws: ``TrustError``; `not_found` when a file is missing.
    public init(
        _ stored: TrustedMetadata, ensemble: String?, limits: TrustLimits = TrustLimits(), now: Date
    ) throws(TrustError) {
        let verifier = try MetadataVerifier(roots: stored.roots, ensemble: ensemble, limits: limits)
        root = verifier.root.content
        timestamp = try verifier.timestamp(Self.file(stored.timestamp, .timestamp)).content
        snapshot = try verifier.snapshot(Self.file(stored.snapshot, .snapshot), as: timestamp.snapshot).content
        targets = try verifier.targets(
            Self.file(stored.targets, .targets), as: snapshot.meta[Snapshot.targetsName]
        ).content
        let contents: [any SignedContent] = [root, targets, snapshot, timestamp]
        expired = contents.filter { $0.isExpired(at: now) }.map { type(of: $0).role }
    }

    /// Makes sure that a stored target is the one described.
    ///
    /// - Throws: ``TrustError`` with code `not_found` for a path that the targets do not have, `length_mismatch` or
    ///   `hash_mismatch`.
    public func check(_ path: String, length: Int, sha256: ContentDigest) throws(TrustError) {
        guard let file = targets.files.first(where: { $0.path == path }) else {
            throw TrustError(.notFound, .targets, "the targets have no \(path)")
        }
        try file.check(length: length, sha256: sha256)
    }

    private static func file(_ bytes: [UInt8]?, _ role: MetadataRole) throws(TrustError) -> [UInt8] {
        guard let bytes else { throw TrustError(.notFound, role, "the slot has no \(role.rawValue) metadata") }
        return bytes
    }
}

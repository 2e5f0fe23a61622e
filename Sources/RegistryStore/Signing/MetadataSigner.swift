public import EnsembleModel
public import Foundation

/// Signs what an ensemble publishes (The Update Framework's targets, snapshot and timestamp) with keys that the
/// database never sees. To the store the signed bytes are opaque.
public protocol MetadataSigner: Sendable {
    /// Version of the root whose keys it signs with.
    var rootVersion: Int { get }

    /// Metadata that lists the files of a champion.
    func targets(_ published: PublishedFiles, version: Int, now: Date) throws -> [UInt8]

    /// Metadata that leads to the targets of a version.
    func snapshot(of champion: ChampionNumber, targets: SignedMetadata, version: Int, now: Date) throws -> [UInt8]

    /// Metadata that leads to the snapshot of a version, and says which champion is the newest.
    ///
    /// - Parameter rollout: ten-thousandths of the nodes that may serve it, below 10,000; nil for all.
    func timestamp(
        of champion: ChampionNumber, snapshot: SignedMetadata, rollout: Int?, version: Int, now: Date
    ) throws -> [UInt8]
}

/// Which champion of an ensemble is meant.
public struct ChampionNumber: Hashable, Sendable {
    public var ensemble: String
    /// Rises when the registry is restored from a backup.
    public var generation: Int
    /// The manifest's number.
    public var sequence: Int

    public init(ensemble: String, generation: Int, sequence: Int) {
        self.ensemble = ensemble
        self.generation = generation
        self.sequence = sequence
    }
}

/// The files that a node needs to serve a champion.
public struct PublishedFiles: Hashable, Sendable {
    /// A file by its digest.
    public struct File: Hashable, Sendable {
        /// Length in bytes.
        public var length: Int
        public var sha256: ContentDigest
    }

    public var champion: ChampionNumber
    public var manifest: File
    public var combiner: File
}

/// Metadata as it was signed.
public struct SignedMetadata: Hashable, Sendable {
    public var version: Int
    /// Byte for byte as it is served.
    public var bytes: [UInt8]
    public var signedAt: Date

    public init(version: Int, bytes: [UInt8], signedAt: Date) {
        self.version = version
        self.bytes = bytes
        self.signedAt = signedAt
    }
}

/// After which time a role's metadata is signed again, in seconds since it was signed.
public struct RenewalAges: Hashable, Sendable {
    public var targetsAndSnapshot: TimeInterval
    public var timestamp: TimeInterval

    public init(targetsAndSnapshot: TimeInterval, timestamp: TimeInterval) {
        self.targetsAndSnapshot = targetsAndSnapshot
        self.timestamp = timestamp
    }
}

/// A version number of each role of an ensemble.
public struct MetadataVersions: Hashable, Sendable {
    public var targets: Int
    public var snapshot: Int
    public var timestamp: Int

    public init(targets: Int, snapshot: Int, timestamp: Int) {
        self.targets = targets
        self.snapshot = snapshot
        self.timestamp = timestamp
    }

    /// The higher version of each role.
    func raised(to other: MetadataVersions) -> MetadataVersions {
        MetadataVersions(
            targets: max(targets, other.targets), snapshot: max(snapshot, other.snapshot),
            timestamp: max(timestamp, other.timestamp))
    }
}

/// The most that a client accepts; beyond it metadata is refused before it is parsed.
public struct TrustLimits: Hashable, Sendable {
    /// Bytes of a root file.
    public var rootBytes = 512_000
    /// Bytes of a timestamp file.
    public var timestampBytes = 16_384
    /// Bytes of a snapshot file.
    public var snapshotBytes = 2_000_000
    /// Bytes of a targets file.
    public var targetsBytes = 5_000_000
    /// Bytes of one target.
    public var targetBytes = 1 << 30
    /// New root versions that one update takes.
    public var rootRotations = 256

    /// The limits of python-tuf's client, and 1 GiB a target.
    public init() {}

    func bytes(of role: MetadataRole) -> Int {
        switch role {
        case .root: rootBytes
        case .timestamp: timestampBytes
        case .snapshot: snapshotBytes
        case .targets: targetsBytes
        }
    }
}

/// The metadata that a client has verified before and kept: bytes as they were received.
public struct TrustedMetadata: Hashable, Sendable {
    /// Root files, each the version after the one before. The first is trusted because it was installed; the last is in
    /// force. A single one will do.
    public var roots: [[UInt8]]
    /// The last timestamp file, if it is still there.
    public var timestamp: [UInt8]?
    /// The last snapshot file, if it is still there.
    public var snapshot: [UInt8]?
    /// The last targets file, if it is still there.
    public var targets: [UInt8]?

    /// Collects what was kept.
    public init(
        roots: [[UInt8]], timestamp: [UInt8]? = nil, snapshot: [UInt8]? = nil, targets: [UInt8]? = nil
    ) {
        self.roots = roots
        self.timestamp = timestamp
        self.snapshot = snapshot
        self.targets = targets
    }
}

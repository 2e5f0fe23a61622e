import EnsembleModel

/// A metadata file as it is stored and served.
public struct MetadataFile: Hashable, Sendable {
    /// Whose it is.
    public let role: MetadataRole
    /// Its version.
    public let version: Int
    /// Its bytes, served exactly so.
    public let bytes: [UInt8]

    /// Creates a file of stored bytes.
    public init(role: MetadataRole, version: Int, bytes: [UInt8]) {
        self.role = role
        self.version = version
        self.bytes = bytes
    }

    init<Content>(_ signed: Signed<Content>) {
        self.init(role: Content.role, version: signed.content.version, bytes: signed.bytes)
    }

    /// The name under `metadata/`: `7.snapshot.json`, `timestamp.json`.
    public var name: String { role.fileName(version: version) }

    /// What the metadata above says of it.
    public var reference: FileReference {
        FileReference(version: version, length: bytes.count, sha256: .of(bytes))
    }
}

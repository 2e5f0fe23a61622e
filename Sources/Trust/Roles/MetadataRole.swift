/// TUF's four top-level roles.
public enum MetadataRole: String, CaseIterable, Hashable, Sendable, Codable {
    case root
    case targets
    case snapshot
    case timestamp

    /// The name of a version's file: only the timestamp's has no version in front (consistent snapshots).
    public func fileName(version: Int) -> String {
        self == .timestamp ? "timestamp.json" : "\(version).\(rawValue).json"
    }
}

/// Which nodes take a manifest that is rolled out in stages.
///
/// A node's cohort is the first 8 bytes, big-endian, of SHA-256 of its id and the manifest's sequence in decimal,
/// modulo 10,000: every manifest begins with other nodes, and a node that is in at some share stays in at larger ones.
public enum Rollout {
    /// The share at which every node takes the manifest, in ten-thousandths.
    public static let whole = 10_000

    /// A node's cohort for a manifest, 0 to 9,999.
    public static func cohort(node: String, sequence: Int) -> Int {
        var hasher = ContentHasher()
        hasher.update(node.utf8)
        hasher.update(String(sequence).utf8)
        return Int(hasher.finishLeading64() % UInt64(whole))
    }

    /// Whether a node takes a manifest.
    ///
    /// - Parameter share: ten-thousandths of the nodes that take it; nil for all.
    public static func includes(node: String, sequence: Int, share: Int?) -> Bool {
        guard let share else { return true }
        return cohort(node: node, sequence: sequence) < share
    }
}

import EnsembleModel

/// What a node keeps for rows that name their key: what the champion said, and below it what each member said, so that
/// a promotion that swaps one member computes only that one's outputs anew.
///
/// A key stands for everything a row is made of: the same key must mean the same inputs.
final class RowCaches: Sendable {
    /// What a label depends on.
    struct LabelKey: Hashable, Sendable {
        var contentID: ContentDigest
        var key: String
        /// What the row's group is made of; nil where the combiner does not see groups.
        var group: ContentDigest?

        /// Bytes of an entry: texts, K doubles, and the tables around them.
        func bytes(classCount: Int) -> Int { key.utf8.count + 8 * classCount + 280 }
    }

    /// What a member's output depends on.
    struct OutputKey: Hashable, Sendable {
        /// `ensemble/model@version`.
        var member: String
        var key: String

        /// Bytes of an entry: texts, K floats, and the tables around them. The member's name is shared.
        func bytes(classCount: Int) -> Int { key.utf8.count + 4 * classCount + 200 }
    }

    /// K probabilities of the champion. The label is the most probable class.
    let labels: ShardedCache<LabelKey, [Double]>?
    /// K probabilities of a member.
    let outputs: ShardedCache<OutputKey, [Float]>?

    init(_ options: ServingOptions) {
        labels = options.labelCacheBytes > 0 ? ShardedCache(bytes: options.labelCacheBytes) : nil
        outputs = options.outputCacheBytes > 0 ? ShardedCache(bytes: options.outputCacheBytes) : nil
    }

    /// What each row's group is made of, the order of its rows apart: a row's scores depend on all of them.
    static func compositions(keys: [String], groups: [String]) -> [ContentDigest] {
        var rows: [String: [Int]] = [:]
        for (row, group) in groups.enumerated() { rows[group, default: []].append(row) }
        var result = [ContentDigest?](repeating: nil, count: keys.count)
        for members in rows.values {
            var hasher = ContentHasher()
            for key in members.map({ keys[$0] }).sorted(by: { $0.utf8.lexicographicallyPrecedes($1.utf8) }) {
                hasher.update("\(key.utf8.count):".utf8)
                hasher.update(key.utf8)
            }
            let digest = hasher.finish()
            for row in members { result[row] = digest }
        }
        return result.compactMap { $0 }
    }
}

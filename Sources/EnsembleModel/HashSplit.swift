/// The split of rows by group, without a random generator: anybody can recompute it from the salt.
///
/// `u(salt, group)` is the first 8 bytes, big-endian, of SHA-256 of salt, 0x1F and group.
public struct HashSplit: Sendable {
    /// Number of folds.
    public static let foldCount = 5

    /// Fold of each row: u("fold|" + salt) mod 5.
    public let folds: [Int]
    /// Whether each row is open, its figures shown to submitters: u("seal|" + salt) < 2^62, a quarter of the groups.
    public let isOpen: [Bool]

    /// Splits a validation set.
    ///
    /// - Throws: ``EnsembleModelError`` with code `tooFewGroups` when a fold is empty or no row is open.
    public init(_ validation: ValidationSet, salt: String) throws(EnsembleModelError) {
        let foldOfGroup = validation.groupNames.map {
            Int(Self.hash(salt: "fold|" + salt, group: $0) % UInt64(Self.foldCount))
        }
        let openGroups = validation.groupNames.map { Self.hash(salt: "seal|" + salt, group: $0) < 1 << 62 }
        guard Set(foldOfGroup).count == Self.foldCount, openGroups.contains(true) else {
            throw EnsembleModelError(
                .tooFewGroups,
                "\(validation.groupNames.count) groups leave a fold or the open rows empty; "
                    + "give a validation set with more groups (50 or more: the gate seals most and needs 30)")
        }
        folds = validation.groups.map { foldOfGroup[$0] }
        isOpen = validation.groups.map { openGroups[$0] }
    }

    /// A sample of whole groups: those of smallest u("sample|" + salt) whose rows are together at most `limit`, or the
    /// first of them when it alone has more.
    ///
    /// - Returns: ascending rows; all of them when there are no more than `limit`.
    public static func sample(of validation: ValidationSet, salt: String, limit: Int) -> [Int] {
        guard validation.rowCount > limit else { return Array(0..<validation.rowCount) }
        var sizes = [Int](repeating: 0, count: validation.groupNames.count)
        for group in validation.groups { sizes[group] += 1 }
        let keys = validation.groupNames.map { hash(salt: "sample|" + salt, group: $0) }
        var isSampled = [Bool](repeating: false, count: sizes.count)
        var count = 0
        for group in sizes.indices.sorted(by: { (keys[$0], $0) < (keys[$1], $1) }) {
            guard count == 0 || count + sizes[group] <= limit else { break }
            isSampled[group] = true
            count += sizes[group]
        }
        return validation.groups.indices.filter { isSampled[validation.groups[$0]] }
    }

    private static func hash(salt: String, group: String) -> UInt64 {
        var hasher = ContentHasher()
        hasher.update(salt.utf8)
        hasher.update(CollectionOfOne(0x1F))
        hasher.update(group.utf8)
        return hasher.finishLeading64()
    }
}

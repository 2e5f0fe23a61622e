/// The labelled rows of one epoch of an ensemble, in row-id order (UTF-8 bytes).
///
/// Rows of a group (e.g. one query's products) are never split between folds; a slice (e.g. a locale) is watched on its
/// own.
public struct ValidationSet: Hashable, Sendable {
    /// One labelled row as it is given, before sorting.
    public struct Row: Hashable, Sendable {
        /// Unique id of the row.
        public var id: String
        /// Index of the true class.
        public var label: Int
        /// Group of the row; its own id where none is given.
        public var group: String
        /// Slice of the row; `all` where none is given.
        public var slice: String

        /// Creates a row; without a group it is a group of its own.
        public init(id: String, label: Int, group: String? = nil, slice: String? = nil) {
            self.id = id
            self.label = label
            self.group = group ?? id
            self.slice = slice ?? "all"
        }
    }

    /// Class names; a label is an index into them. K = `classes.count`.
    public let classes: [String]
    /// Row ids, ascending by UTF-8 bytes. N = `rowIDs.count`.
    public let rowIDs: [String]
    /// Class index of each row.
    public let labels: [Int]
    /// Index of each row's group in ``groupNames``.
    public let groups: [Int]
    /// Distinct groups, ascending by UTF-8 bytes.
    public let groupNames: [String]
    /// Index of each row's slice in ``sliceNames``.
    public let slices: [Int]
    /// Distinct slices, ascending by UTF-8 bytes.
    public let sliceNames: [String]

    /// Number of rows, N.
    public var rowCount: Int { rowIDs.count }
    /// Number of classes, K.
    public var classCount: Int { classes.count }

    /// Sorts rows by id and indexes their groups and slices.
    ///
    /// - Throws: ``EnsembleModelError`` with code `invalidShape` for no rows, fewer than two classes, a repeated class
    ///   or
    ///   id, or a label outside the classes.
    public init(classes: [String], rows: [Row]) throws(EnsembleModelError) {
        guard classes.count >= 2, Set(classes).count == classes.count else {
            throw EnsembleModelError(.invalidShape, "an ensemble needs two or more classes with different names")
        }
        guard !rows.isEmpty else { throw EnsembleModelError(.invalidShape, "a validation set needs at least one row") }
        let sorted = rows.sorted { $0.id.precedes($1.id) }
        for (row, next) in zip(sorted, sorted.dropFirst()) where row.id == next.id {
            throw EnsembleModelError(.invalidShape, "row id '\(row.id)' appears more than once")
        }
        if let row = sorted.first(where: { !classes.indices.contains($0.label) }) {
            throw EnsembleModelError(.invalidShape, "row '\(row.id)' has a label outside the \(classes.count) classes")
        }
        self.classes = classes
        rowIDs = sorted.map(\.id)
        labels = sorted.map(\.label)
        (groupNames, groups) = Self.index(sorted.map(\.group))
        (sliceNames, slices) = Self.index(sorted.map(\.slice))
    }

    /// SHA-256 over classes and rows, each field preceded by its length: the identity of the set and the source of its
    /// salt.
    public var digest: ContentDigest {
        var hasher = ContentHasher()
        func add(_ text: String) {
            withUnsafeBytes(of: UInt64(text.utf8.count).littleEndian) { hasher.update($0) }
            hasher.update(text.utf8)
        }
        add("validation-set-v1")
        add(String(classes.count))
        classes.forEach(add)
        for row in rowIDs.indices {
            add(rowIDs[row])
            add(String(labels[row]))
            add(groupNames[groups[row]])
            add(sliceNames[slices[row]])
        }
        return hasher.finish()
    }

    /// The salt of an epoch's folds on this set: made from its content, so that nobody can choose the split.
    public var epochSalt: String { digest.hex }

    private static func index(_ values: [String]) -> (names: [String], indices: [Int]) {
        let names = Set(values).sorted { $0.precedes($1) }
        let position = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, $0) })
        return (names, values.map { position[$0, default: 0] })
    }
}

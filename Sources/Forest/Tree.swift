/// One decision tree as flat arrays; nodes are numbered from the root (0), a negative child `c` is leaf `-c - 1`
/// (`~c`).
///
/// The numbering, fields and decision bits are those of LightGBM's text model.
public struct Tree: Hashable, Sendable {
    /// The rule by which a node treats a value that is missing.
    public enum MissingRule: UInt8, Hashable, Sendable {
        /// Missing is read as zero.
        case none = 0
        /// Zero and missing go the default way.
        case zero = 1
        /// Missing (NaN) goes the default way.
        case nan = 2
    }

    /// Feature index of each internal node.
    public let splitFeatures: [Int]
    /// Threshold of each internal node: a value less than or equal to it goes left.
    public let thresholds: [Double]
    /// Whether a missing value goes left.
    public let defaultsLeft: [Bool]
    /// How each node treats missing values.
    public let missingRules: [MissingRule]
    /// Left child of each internal node.
    public let leftChildren: [Int]
    /// Right child of each internal node.
    public let rightChildren: [Int]
    /// Raw-score contribution of each leaf.
    public let leafValues: [Double]
    /// Training rows in each leaf (the cover).
    public let leafCounts: [Int]
    /// Training rows at each internal node (the cover).
    public let internalCounts: [Int]

    /// Number of leaves; a tree of one leaf has no nodes.
    public var leafCount: Int { leafValues.count }
    /// Number of internal nodes.
    public var nodeCount: Int { splitFeatures.count }

    init(
        splitFeatures: [Int], thresholds: [Double], defaultsLeft: [Bool], missingRules: [MissingRule],
        leftChildren: [Int],
        rightChildren: [Int], leafValues: [Double], leafCounts: [Int], internalCounts: [Int]
    ) {
        self.splitFeatures = splitFeatures
        self.thresholds = thresholds
        self.defaultsLeft = defaultsLeft
        self.missingRules = missingRules
        self.leftChildren = leftChildren
        self.rightChildren = rightChildren
        self.leafValues = leafValues
        self.leafCounts = leafCounts
        self.internalCounts = internalCounts
    }
}

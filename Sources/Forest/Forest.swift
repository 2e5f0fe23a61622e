/// A multiclass forest as plain values: tree `i` adds to the raw score of class `i % classCount`.
public struct Forest: Hashable, Sendable {
    /// What a forest may consist of.
    public struct Limits: Hashable, Sendable {
        /// Most trees.
        public var trees: Int
        /// Most internal nodes, of all trees together.
        public var nodes: Int
        /// Most bytes of the text model.
        public var bytes: Int

        /// Creates limits.
        public init(trees: Int, nodes: Int, bytes: Int) {
            self.trees = trees
            self.nodes = nodes
            self.bytes = bytes
        }

        /// What a serving node accepts.
        public static let accepted = Limits(trees: 65_536, nodes: 262_144, bytes: 128 << 20)
        /// What may be published: half, so that no node has to refuse what an older or newer registry publishes.
        public static let published = Limits(trees: 32_768, nodes: 131_072, bytes: 64 << 20)
    }

    /// Trees in the order of the text model.
    public let trees: [Tree]
    /// Number of classes, K.
    public let classCount: Int
    /// Number of input columns, F.
    public let featureCount: Int

    let scorer: ForestScorer

    init(trees: [Tree], classCount: Int, featureCount: Int) {
        self.trees = trees
        self.classCount = classCount
        self.featureCount = featureCount
        scorer = ForestScorer(trees, classCount: classCount)
    }

    public static func == (left: Forest, right: Forest) -> Bool {
        left.trees == right.trees && left.classCount == right.classCount && left.featureCount == right.featureCount
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(trees)
        hasher.combine(classCount)
        hasher.combine(featureCount)
    }
}

/// A multiclass forest as plain values: tree `i` adds to the raw score of class `i % classCount`.
public struct Forest: Hashable, Sendable {
    /// Trees in the order of the text model.
    public let trees: [Tree]
    /// Number of classes, K.
    public let classCount: Int
    /// Number of input columns.
    public let featureCount: Int
}

public import EnsembleModel
public import Forest

/// One trained combiner.
public struct FoldModel: Hashable, Sendable {
    /// LightGBM's text model.
    public let text: [UInt8]
    /// SHA-256 of the text.
    public let digest: ContentDigest
    /// The same, as plain values that score.
    public let forest: Forest

    /// Reads a text model.
    ///
    /// - Throws: `ForestError` when it is not usable.
    public init(text: [UInt8]) throws(ForestError) {
        self.text = text
        digest = .of(text)
        forest = try Forest(lightGBMText: text)
    }
}

/// Combiners of one coalition of models, each trained on all folds but one, and what they predict for the fold kept
/// out.
public struct CrossFit: Sendable {
    /// The coalition, ascending; the combiners' columns are in this order, then in class order.
    public let coalition: [ModelVersionID]
    /// N x K class probabilities, row by row, each row by the model that did not see it.
    public let probabilities: [Double]
    /// The model of each fold.
    public let models: [FoldModel]
}

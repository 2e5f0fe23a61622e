/// A model version's class probabilities on a validation set: one row per validation row, in row-id order.
///
/// Kept as 32-bit floats, the way they are stored; computations widen them to 64 bits. A row without a prediction is
/// NaN in every class.
public struct Predictions: Hashable, Sendable {
    /// Number of rows, N.
    public let rowCount: Int
    /// Number of classes, K.
    public let classCount: Int
    /// N x K probabilities, row by row.
    public let values: [Float]

    /// Creates predictions from N x K values, row by row.
    ///
    /// - Throws: ``EnsembleModelError`` with code `invalidShape` when the count is not a multiple of `classCount`.
    public init(values: [Float], classCount: Int) throws(EnsembleModelError) {
        guard classCount > 0, values.count.isMultiple(of: classCount) else {
            throw EnsembleModelError(
                .invalidShape, "\(values.count) probabilities are not whole rows of \(classCount) classes")
        }
        self.values = values
        self.classCount = classCount
        rowCount = values.count / classCount
    }

    /// The SHA-256 of the values' bytes: little-endian 32-bit floats, row by row in row-id order.
    public var digest: ContentDigest {
        var hasher = ContentHasher()
        values.withUnsafeBytes { hasher.update($0) }
        return hasher.finish()
    }

    /// The probability of a class in a row.
    public subscript(row row: Int, class class: Int) -> Float {
        values[row * classCount + `class`]
    }

    /// Whether a row carries no prediction.
    public func isMissing(row: Int) -> Bool { values[row * classCount].isNaN }
}

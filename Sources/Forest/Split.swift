/// The test of one internal node, LightGBM's `NumericalDecision`.
public struct Split: Hashable, Sendable {
    /// Column that is tested.
    public let column: Int
    /// A value less than or equal to it goes left.
    public let threshold: Double
    /// Whether a missing value goes left.
    public let defaultsLeft: Bool
    /// What counts as missing.
    public let missingRule: Tree.MissingRule

    /// LightGBM's `kZeroThreshold`, a float there: what is no larger in magnitude counts as zero.
    @usableFromInline static let zeroThreshold = Double(1e-35 as Float)

    /// Whether a value goes to the left child.
    @inlinable
    public func goesLeft(_ value: Double) -> Bool {
        switch missingRule {
        case .none: value.isNaN ? 0 <= threshold : value <= threshold
        case .zero: value.isNaN || abs(value) <= Self.zeroThreshold ? defaultsLeft : value <= threshold
        case .nan: value.isNaN ? defaultsLeft : value <= threshold
        }
    }
}

extension Tree {
    /// The test of an internal node.
    public func split(at node: Int) -> Split {
        Split(
            column: splitFeatures[node], threshold: thresholds[node], defaultsLeft: defaultsLeft[node],
            missingRule: missingRules[node])
    }
}

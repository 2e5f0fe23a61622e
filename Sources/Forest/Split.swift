/// The test of one internal node.
public struct Split: Hashable, Sendable {
    /// Column that is tested.
    public let column: Int
    /// A value less than or equal to it goes left.
    public let threshold: Double
    /// Whether a missing value goes left.
    public let defaultsLeft: Bool
    /// What counts as missing.
    public let missingRule: Tree.MissingRule

    /// Whether a value goes to the left child.
    @inlinable
    public func goesLeft(_ value: Double) -> Bool {
        missingRule.sendsLeft(value, threshold: threshold, defaultsLeft: defaultsLeft)
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

extension Tree.MissingRule {
    /// Values of smaller or equal magnitude are zero to LightGBM: its `kZeroThreshold`, a 32-bit constant.
    public static let zeroMagnitude = Double(1e-35 as Float)

    /// Whether a node sends a value to its left child: LightGBM's `NumericalDecision`.
    @inlinable @inline(__always)
    func sendsLeft(_ value: Double, threshold: Double, defaultsLeft: Bool) -> Bool {
        switch self {
        case .none: (value.isNaN ? 0 : value) <= threshold
        case .nan: value.isNaN ? defaultsLeft : value <= threshold
        case .zero: value.isNaN || value.magnitude <= Self.zeroMagnitude ? defaultsLeft : value <= threshold
        }
    }
}

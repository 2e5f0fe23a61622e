/// A definition of what a model is worth in an ensemble. Never compare values of different definitions.
public enum UtilityKind: String, Hashable, Sendable, Codable, CaseIterable {
    /// Mean over rows of |phi|, summed over classes; phi = exact grouped Shapley value of the combiner's raw score.
    case shapleyAbs = "shapley_abs"
    /// Mean over rows of phi on the true class minus the mean phi of the other classes.
    case shapleySigned = "shapley_signed"
    /// Shapley value of the held-out log-loss reduction, in nats.
    case sage
    /// Out-of-fold log-loss without the model minus with it, re-fitted, in nats.
    case leaveOneOut = "leave_one_out"
}

/// What one model is worth by one definition.
public struct UtilityScore: Hashable, Sendable, Codable {
    /// The model version valued.
    public var model: ModelVersionID
    /// The definition.
    public var kind: UtilityKind
    /// The value, in the definition's unit.
    public var value: Double
    /// Cluster-robust standard error over groups, where the value is a mean over rows.
    public var standardError: Double?

    /// Creates a score.
    public init(model: ModelVersionID, kind: UtilityKind, value: Double, standardError: Double? = nil) {
        self.model = model
        self.kind = kind
        self.value = value
        self.standardError = standardError
    }

    enum CodingKeys: String, CodingKey {
        case model, kind, value
        case standardError = "standard_error"
    }
}

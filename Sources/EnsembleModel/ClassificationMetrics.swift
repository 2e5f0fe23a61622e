/// How well class probabilities fit the labels of a validation set.
public struct ClassificationMetrics: Hashable, Sendable, Codable {
    /// Share of rows whose most probable class (the first of equals) is the label.
    public var accuracy: Double
    /// Unweighted mean over classes of the F1 score; a class neither present nor predicted counts 0.
    public var macroF1: Double
    /// Mean over classes of the F1 score, weighted by the class's rows.
    public var weightedF1: Double
    /// Mean of -ln p(label), p clipped to [1e-7, 1 - 1e-7], in nats.
    public var logLoss: Double

    /// Creates metrics from their values.
    public init(accuracy: Double, macroF1: Double, weightedF1: Double, logLoss: Double) {
        self.accuracy = accuracy
        self.macroF1 = macroF1
        self.weightedF1 = weightedF1
        self.logLoss = logLoss
    }

    enum CodingKeys: String, CodingKey {
        case accuracy
        case macroF1 = "macro_f1"
        case weightedF1 = "weighted_f1"
        case logLoss = "log_loss"
    }
}

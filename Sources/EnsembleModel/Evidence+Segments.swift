extension Evidence {
    /// What the models are worth on the rows of one class or slice alone.
    public struct Segment: Hashable, Sendable, Codable {
        /// What the rows have in common.
        public enum Kind: String, Hashable, Sendable, Codable, CaseIterable {
            /// Their true class.
            case `class`
            /// Their slice.
            case slice
        }

        /// Most slices that are looked at: those with the most rows in the validation set.
        public static let maximumSlices = 64

        public var kind: Kind
        /// The class or slice.
        public var name: String
        /// Rows of it among those that figures are over.
        public var rowCount: Int
        /// `shapley_signed` over these rows, in model order; empty without rows. Standard errors are over blocks of
        /// groups.
        public var scores: [UtilityScore]

        public init(kind: Kind, name: String, rowCount: Int, scores: [UtilityScore]) {
            self.kind = kind
            self.name = name
            self.rowCount = rowCount
            self.scores = scores
        }

        enum CodingKeys: String, CodingKey {
            case kind, name, scores
            case rowCount = "rows"
        }
    }
}

extension EvaluationOutcome {
    /// The outcome without what was not yet computed when some evidence was stored: a replay compares what both have.
    public func comparable(to stored: Evidence) -> EvaluationOutcome {
        var outcome = self
        if stored.segments == nil { outcome.evidence.segments = nil }
        return outcome
    }
}

/// What sealed rows said in an evaluation: for auditors only, bound to the open evidence by its digest.
public struct SealedEvidence: Hashable, Sendable, Codable {
    /// The gate.
    public struct Gate: Hashable, Sendable, Codable {
        /// Champion against the set found.
        public var comparison: Comparison
        /// Error probability of this test.
        public var alpha: Double
        /// What z had to reach.
        public var quantile: Double
        /// What the gain had to reach, in nats.
        public var minimumGain: Double
        /// The champion's mean loss, in nats.
        public var championLoss: Double
        public var passed: Bool

        public init(
            comparison: Comparison, alpha: Double, quantile: Double, minimumGain: Double, championLoss: Double
        ) {
            self.comparison = comparison
            self.alpha = alpha
            self.quantile = quantile
            self.minimumGain = minimumGain
            self.championLoss = championLoss
            passed = comparison.z >= quantile && comparison.gain >= minimumGain
        }

        enum CodingKeys: String, CodingKey {
            case comparison, alpha, quantile, passed
            case minimumGain = "minimum_gain"
            case championLoss = "champion_loss"
        }
    }

    /// One guardrail.
    public struct Guardrail: Hashable, Sendable, Codable {
        /// What is watched.
        public enum Kind: String, Hashable, Sendable, Codable, CaseIterable {
            case sliceLoss = "slice_loss"
            case brierScore = "brier_score"
            case calibration
            case macroF1 = "macro_f1"
            case populationStability = "population_stability"
        }

        public var kind: Kind
        /// The slice, for ``Kind/sliceLoss``.
        public var slice: String?
        /// The champion's figure; absent for population stability, which is of both.
        public var before: Double?
        public var after: Double
        /// Standard error over groups of after minus before, where it is tested.
        public var standardError: Double?
        public var passed: Bool

        public init(
            kind: Kind, slice: String? = nil, before: Double?, after: Double, standardError: Double? = nil,
            passed: Bool
        ) {
            self.kind = kind
            self.slice = slice
            self.before = before
            self.after = after
            self.standardError = standardError
            self.passed = passed
        }

        enum CodingKeys: String, CodingKey {
            case kind, slice, before, after, passed
            case standardError = "standard_error"
        }
    }

    /// A member looked at for retirement.
    public struct Retirement: Hashable, Sendable, Codable {
        public var model: ModelVersionID
        /// Loss without the member minus loss with it, in nats.
        public var lossIncrease: Double
        /// Standard error over groups, times 1.1.
        public var standardError: Double
        /// Upper confidence bound of the increase.
        public var upperBound: Double
        /// Whether bound and total allow it to leave.
        public var isObsolete: Bool

        public init(
            model: ModelVersionID, lossIncrease: Double, standardError: Double, upperBound: Double, isObsolete: Bool
        ) {
            self.model = model
            self.lossIncrease = lossIncrease
            self.standardError = standardError
            self.upperBound = upperBound
            self.isObsolete = isObsolete
        }

        enum CodingKeys: String, CodingKey {
            case model
            case lossIncrease = "loss_increase"
            case standardError = "standard_error"
            case upperBound = "upper_bound"
            case isObsolete = "is_obsolete"
        }
    }

    /// Makes the digest hide the figures: nobody without it can try figures against the commitment.
    public var nonce: ContentDigest
    public var gate: Gate
    /// Empty when the gate was not passed.
    public var guardrails: [Guardrail]
    /// Empty when nobody was looked at.
    public var retirements: [Retirement]
    /// Out-of-fold log-loss over sealed rows of every set fitted on all rows.
    public var losses: [Evidence.TriedSet]
    /// Over sealed rows: champion, the set found, each judged model, their average, the class prior.
    public var metrics: [MetricsRow]
    /// Loss given up by retirements in this epoch, in nats, before and after.
    public var retiredLossBefore: Double
    public var retiredLossAfter: Double

    public init(
        nonce: ContentDigest, gate: Gate, guardrails: [Guardrail], retirements: [Retirement],
        losses: [Evidence.TriedSet],
        metrics: [MetricsRow], retiredLossBefore: Double, retiredLossAfter: Double
    ) {
        self.nonce = nonce
        self.gate = gate
        self.guardrails = guardrails
        self.retirements = retirements
        self.losses = losses
        self.metrics = metrics
        self.retiredLossBefore = retiredLossBefore
        self.retiredLossAfter = retiredLossAfter
    }

    enum CodingKeys: String, CodingKey {
        case nonce, gate, guardrails, retirements, losses, metrics
        case retiredLossBefore = "retired_loss_before"
        case retiredLossAfter = "retired_loss_after"
    }
}

extension SealedEvidence {
    /// SHA-256 of the canonical form: the commitment in the open evidence.
    ///
    /// - Throws: ``EnsembleModelError`` with code `invalidCanonicalForm` when a count is beyond 2^53.
    public var digest: ContentDigest {
        get throws { try CanonicalValue(encoding: self).digest }
    }
}

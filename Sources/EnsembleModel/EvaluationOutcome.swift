/// What an evaluation was asked.
public enum EvaluationKind: String, Hashable, Sendable, Codable, CaseIterable {
    /// The first ensemble, out of all candidates.
    case founding
    /// Whether one challenger enters the champion.
    case admission
    /// An earlier evaluation once more, to compare; in the queue only, never in evidence.
    case replay
}

/// Metrics of one model or combination, out of fold.
public struct MetricsRow: Hashable, Sendable, Codable {
    /// What was measured.
    public enum Subject: String, Hashable, Sendable, Codable, CaseIterable {
        /// One model version alone.
        case model
        /// The plain average of the probabilities of the set that was judged (members and challenger, or all
        /// candidates).
        case average
        /// The class shares, the same for every row.
        case classPrior = "class_prior"
        /// The ensemble before the evaluation.
        case champion
        /// The ensemble after it.
        case ensemble
    }

    /// What was measured.
    public var subject: Subject
    /// The model version, when the subject is one.
    public var model: ModelVersionID?
    /// The figures.
    public var metrics: ClassificationMetrics

    /// Creates a row.
    public init(subject: Subject, model: ModelVersionID? = nil, metrics: ClassificationMetrics) {
        self.subject = subject
        self.model = model
        self.metrics = metrics
    }
}

/// The published form of a combiner: one LightGBM text model.
public struct Combiner: Hashable, Sendable {
    /// The LightGBM text model (format v4), UTF-8.
    public let text: [UInt8]
    /// SHA-256 of the text.
    public let digest: ContentDigest
    /// Number of trees.
    public let treeCount: Int
    /// Rows to check a scorer of the text with.
    public let golden: GoldenRows

    /// Creates a combiner and its digest from its text.
    public init(text: [UInt8], treeCount: Int, golden: GoldenRows) {
        self.text = text
        self.treeCount = treeCount
        self.golden = golden
        digest = .of(text)
    }
}

/// The result of an evaluation, complete: what is stored, and what a promotion is published from.
public struct EvaluationOutcome: Hashable, Sendable {
    /// The verdict. A founding that succeeds is ``Verdict/admit``.
    public var verdict: Verdict
    /// The verdict's reason, one line for people.
    public var reason: String
    /// Members before, in model order.
    public var membersBefore: [ModelVersionID]
    /// Members after, in model order.
    public var membersAfter: [ModelVersionID]
    /// Members that left.
    public var retired: [ModelVersionID]
    /// The preset the fits used; never `auto`.
    public var preset: Policy.Preset
    /// Out-of-fold metrics.
    public var metrics: [MetricsRow]
    /// What each member (and the challenger) is worth.
    public var utilities: [UtilityScore]
    /// Everything needed to audit the verdict but what sealed rows said.
    public var evidence: Evidence
    /// What sealed rows said; nil when they were not asked.
    public var sealed: SealedEvidence?
    /// The ledger after the evaluation.
    public var ledger: Ledger
    /// Loss given up by retirements in this epoch, in nats: a figure of sealed rows.
    public var retiredLoss: Double
    /// The combiner to publish; nil when the members stay as they are.
    public var combiner: Combiner?

    /// Creates an outcome.
    public init(
        verdict: Verdict, reason: String, membersBefore: [ModelVersionID], membersAfter: [ModelVersionID],
        retired: [ModelVersionID], preset: Policy.Preset, metrics: [MetricsRow], utilities: [UtilityScore],
        evidence: Evidence, sealed: SealedEvidence?, ledger: Ledger, retiredLoss: Double, combiner: Combiner?
    ) {
        self.verdict = verdict
        self.reason = reason
        self.membersBefore = membersBefore
        self.membersAfter = membersAfter
        self.retired = retired
        self.preset = preset
        self.metrics = metrics
        self.utilities = utilities
        self.evidence = evidence
        self.sealed = sealed
        self.ledger = ledger
        self.retiredLoss = retiredLoss
        self.combiner = combiner
    }
}

/// Every number, hash and setting behind a verdict that everybody may read.
///
/// Figures are over the rows that ``figures`` names. What sealed rows say is in a ``SealedEvidence`` of its own, which
/// ``commitment`` binds. Its ``digest`` is over the canonical form, in which a double is its 16 hexadecimal digits:
/// equal digests mean equal bits. Times, hosts and program versions stand beside the evidence, not in it.
public struct Evidence: Hashable, Sendable, Codable {
    /// A model's predictions as they went in.
    public struct Input: Hashable, Sendable, Codable {
        public var model: ModelVersionID
        /// SHA-256 of the predictions' float32 bytes in row-id order.
        public var predictions: ContentDigest
        /// Latency a row in nanoseconds, as declared.
        public var latencyNanoseconds: Int64?
        /// Cost a row in nano US dollars, as declared.
        public var costNanoUSDPerRow: Int64?

        public init(model: ModelVersionID, predictions: ContentDigest, cost: ModelCost) {
            self.model = model
            self.predictions = predictions
            latencyNanoseconds = cost.latencyNanoseconds
            costNanoUSDPerRow = cost.costNanoUSDPerRow
        }

        enum CodingKeys: String, CodingKey {
            case model, predictions
            case latencyNanoseconds = "latency_ns"
            case costNanoUSDPerRow = "cost_nano_usd"
        }
    }

    /// The boosting library that fitted the combiners.
    public struct Library: Hashable, Sendable, Codable {
        public var name: String
        public var version: String
        /// SHA-256 of the shared library's file.
        public var sha256: ContentDigest

        public init(name: String, version: String, sha256: ContentDigest) {
            self.name = name
            self.version = version
            self.sha256 = sha256
        }
    }

    /// A set of models that was fitted, and its out-of-fold log-loss in nats.
    public struct TriedSet: Hashable, Sendable, Codable {
        public var members: [ModelVersionID]
        public var logLoss: Double
        /// Rows it was fitted on: all, or the sample that large validation sets are searched on.
        public var fittedRows: Int

        public init(members: [ModelVersionID], logLoss: Double, fittedRows: Int) {
            self.members = members
            self.logLoss = logLoss
            self.fittedRows = fittedRows
        }

        enum CodingKeys: String, CodingKey {
            case members
            case logLoss = "log_loss"
            case fittedRows = "fitted_rows"
        }
    }

    /// One line of the ranking by utility.
    public struct Rank: Hashable, Sendable, Codable {
        public var model: ModelVersionID
        public var value: Double
        public var kept: Bool

        public init(model: ModelVersionID, value: Double, kept: Bool) {
            self.model = model
            self.value = value
            self.kept = kept
        }
    }

    /// How close the challenger's predictions are to a candidate's.
    public struct Closeness: Hashable, Sendable, Codable {
        public var model: ModelVersionID
        /// Mean over rows of half the sum of absolute differences.
        public var meanTotalVariation: Double

        public init(model: ModelVersionID, meanTotalVariation: Double) {
            self.model = model
            self.meanTotalVariation = meanTotalVariation
        }

        enum CodingKeys: String, CodingKey {
            case model
            case meanTotalVariation = "mean_total_variation"
        }
    }

    /// Version of this record's layout.
    public var schema = 2
    public var kind: EvaluationKind
    public var challenger: ModelVersionID?
    /// SHA-256 of the validation set.
    public var validation: ContentDigest
    /// The salt of the epoch's folds.
    public var epochSalt: String
    public var rowCount: Int
    public var groupCount: Int
    /// How the rows are divided.
    public var split: Split
    /// The rows that ``tried``, ``metrics`` and ``utilities`` are over.
    public var figures: RowScope
    /// Who sent the challenger, or asked for the founding.
    public var submitter: String
    public var inputs: [Input]
    public var policy: Policy
    public var policyVersion: Int
    public var library: Library
    /// The preset used; never `auto`.
    public var preset: Policy.Preset
    /// Out-of-fold log-loss of all candidates under each preset, when it was chosen here.
    public var presetLosses: [String: Double]
    /// Where the challenger is close to another candidate.
    public var closeness: [Closeness]
    /// Every set that was fitted, in the order of first use.
    public var tried: [TriedSet]
    /// The search for a set within the budget, step by step; empty when members and challenger fit.
    public var search: [SearchStep]
    /// Champion against the set found, on open rows; nil when it did not come to that.
    public var screen: Comparison?
    /// The quantile that the gate's z had to reach; nil without a gate.
    public var quantile: Double?
    /// The ranking that decided, where the rule has one.
    public var ranking: [Rank]
    public var membersBefore: [ModelVersionID]
    public var membersAfter: [ModelVersionID]
    public var verdict: Verdict
    public var reason: String
    /// What a person should look at.
    public var warnings: [Warning]
    public var ledgerBefore: Ledger
    /// As booked with the verdict: a change of membership that waits for approval is not in it.
    public var ledgerAfter: Ledger
    public var metrics: [MetricsRow]
    public var utilities: [UtilityScore]
    /// What the models of ``utilities`` are worth by class and slice; nil in evidence from before this was computed.
    public var segments: [Segment]?
    /// SHA-256 of the text of each fold's combiner of the members after.
    public var foldModels: [ContentDigest]
    /// SHA-256 of the published combiner's text.
    public var combiner: ContentDigest?
    /// SHA-256 of the sealed evidence's canonical form; nil when nothing was tested on sealed rows.
    public var commitment: ContentDigest?

    public init(
        kind: EvaluationKind, challenger: ModelVersionID?, validation: ContentDigest, epochSalt: String, rowCount: Int,
        groupCount: Int, split: Split, figures: RowScope, submitter: String, inputs: [Input], policy: Policy,
        policyVersion: Int, library: Library, preset: Policy.Preset, presetLosses: [String: Double],
        closeness: [Closeness], tried: [TriedSet], search: [SearchStep], screen: Comparison?, quantile: Double?,
        ranking: [Rank], membersBefore: [ModelVersionID], membersAfter: [ModelVersionID], verdict: Verdict,
        reason: String, warnings: [Warning], ledgerBefore: Ledger, ledgerAfter: Ledger, metrics: [MetricsRow],
        utilities: [UtilityScore], foldModels: [ContentDigest], combiner: ContentDigest?, commitment: ContentDigest?
    ) {
        self.kind = kind
        self.challenger = challenger
        self.validation = validation
        self.epochSalt = epochSalt
        self.rowCount = rowCount
        self.groupCount = groupCount
        self.split = split
        self.figures = figures
        self.submitter = submitter
        self.inputs = inputs
        self.policy = policy
        self.policyVersion = policyVersion
        self.library = library
        self.preset = preset
        self.presetLosses = presetLosses
        self.closeness = closeness
        self.tried = tried
        self.search = search
        self.screen = screen
        self.quantile = quantile
        self.ranking = ranking
        self.membersBefore = membersBefore
        self.membersAfter = membersAfter
        self.verdict = verdict
        self.reason = reason
        self.warnings = warnings
        self.ledgerBefore = ledgerBefore
        self.ledgerAfter = ledgerAfter
        self.metrics = metrics
        self.utilities = utilities
        self.foldModels = foldModels
        self.combiner = combiner
        self.commitment = commitment
    }

    enum CodingKeys: String, CodingKey {
        case schema, kind, challenger, validation, split, figures, submitter, inputs, policy, library, preset, closeness
        case tried, search, screen, quantile, ranking, verdict, reason, warnings, metrics, utilities, segments
        case combiner, commitment
        case epochSalt = "epoch_salt"
        case rowCount = "rows"
        case groupCount = "groups"
        case policyVersion = "policy_version"
        case presetLosses = "preset_losses"
        case membersBefore = "members_before"
        case membersAfter = "members_after"
        case ledgerBefore = "ledger_before"
        case ledgerAfter = "ledger_after"
        case foldModels = "fold_models"
    }
}

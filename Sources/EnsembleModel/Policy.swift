/// The switches of an ensemble's decisions, one documented value, versioned in the registry.
public struct Policy: Hashable, Sendable, Codable {
    /// How a newcomer is let in.
    public enum Admission: String, Hashable, Sendable, Codable, CaseIterable {
        /// A test on sealed rows that holds under repeated submissions, then guardrails, then retirement.
        case gated
        /// The published rule: retrain on members and newcomer, rank by `shapley_abs`, keep the best within the budget.
        /// It seals nothing and lets noise in while there is room.
        case shapleyTopK = "shapley-top-k"
    }

    /// How an ensemble gets its first members.
    public enum Founding: String, Hashable, Sendable, Codable, CaseIterable {
        /// Submissions wait as candidates; a search over all of them founds the ensemble.
        case round
        /// The first submission that beats the class prior founds it.
        case first
    }

    /// What the combiner sees of each member.
    public enum Columns: String, Hashable, Sendable, Codable, CaseIterable {
        /// Its K probabilities.
        case probability
        /// Also their K deviations from the member's mean over the rows of the same group.
        case probabilityAndGroup = "probability+group"

        /// Columns of the combiner for each model.
        public func count(classCount: Int) -> Int { self == .probability ? classCount : 2 * classCount }
    }

    /// Hyper-parameters of the combiner.
    public enum Preset: String, Hashable, Sendable, Codable, CaseIterable {
        /// Whichever fits all founding candidates with the lower out-of-fold log-loss; chosen at founding, kept for the
        /// epoch.
        case auto
        /// 60 rounds, learning rate 0.1, 7 leaves.
        case standard
        /// 100 rounds, learning rate 0.05, 4 leaves, half of the columns and 70 % of the rows a round.
        case small
    }

    /// How many people must approve of a change of membership before it is published.
    public enum Approval: String, Hashable, Sendable, Codable, CaseIterable {
        /// A verdict that promotes is published at once.
        case nobody = "none"
        /// Somebody other than who submitted.
        case one
        /// Two of them.
        case two

        /// How many people.
        public var needed: Int {
            switch self {
            case .nobody: 0
            case .one: 1
            case .two: 2
            }
        }
    }

    /// How a newcomer is let in.
    public var admission: Admission
    /// How an ensemble gets its first members.
    public var founding: Founding
    /// What the combiner sees of each member.
    public var columns: Columns
    /// Hyper-parameters of the combiner.
    public var preset: Preset
    /// Founding prefers the smallest set within this many (inflated) standard errors of the best; 0 takes the best.
    public var parsimony: Double
    /// What the ensemble may cost.
    public var budget: Budget
    /// The test on sealed rows.
    public var gate: Gate
    /// What an admission must not make worse.
    public var guardrails: Guardrails
    /// Which members an admission makes obsolete.
    public var retirement: Retirement
    /// Completed evaluations for which a model that was dropped is held.
    public var coolDown: Int
    /// How many people must approve of a founding or an admission before it is published.
    public var approval: Approval {
        get { statedApproval ?? .nobody }
        set { statedApproval = newValue == .nobody ? nil : newValue }
    }
    /// Left out where it is `none`: policies and evidence from before there was a choice say the same in the same
    /// bytes.
    private var statedApproval: Approval?
    /// How an admission reaches the serving nodes; nil for all of them at once.
    public var rollout: StagedRollout?

    /// Creates a policy; the defaults are those of a new ensemble.
    public init(
        admission: Admission = .gated, founding: Founding = .round, columns: Columns = .probability,
        preset: Preset = .auto, parsimony: Double = 0.5, budget: Budget = Budget(), gate: Gate = Gate(),
        guardrails: Guardrails = Guardrails(), retirement: Retirement = Retirement(), coolDown: Int = 5,
        approval: Approval = .nobody, rollout: StagedRollout? = nil
    ) {
        self.admission = admission
        self.founding = founding
        self.columns = columns
        self.preset = preset
        self.parsimony = parsimony
        self.budget = budget
        self.gate = gate
        self.guardrails = guardrails
        self.retirement = retirement
        self.coolDown = coolDown
        self.rollout = rollout
        self.approval = approval
    }

    /// ``coolDown`` under the rule of admission: the published rule holds nobody.
    public var coolDownAfterLeaving: Int { admission == .gated ? coolDown : 0 }

    /// Checks the ranges of all switches.
    ///
    /// - Throws: ``EnsembleModelError`` with code `invalidPolicy` naming the switch.
    public func validate() throws(EnsembleModelError) {
        try Self.check("parsimony", parsimony, in: 0...10)
        try Self.check("cool_down", coolDown, in: 0...1000)
        try budget.validate()
        try gate.validate()
        try guardrails.validate()
        try retirement.validate()
        try rollout?.validate()
    }

    /// Checks that it can be followed on a validation set.
    ///
    /// - Throws: ``EnsembleModelError`` with code `invalidPolicy` when it asks for columns of groups and every group is
    ///   a single row: a row's deviation from itself is 0.
    public func validate(rowCount: Int, groupCount: Int) throws(EnsembleModelError) {
        guard columns != .probabilityAndGroup || groupCount < rowCount else {
            throw EnsembleModelError(
                .invalidPolicy,
                "columns: probability+group needs groups of several rows, and every group of the validation set is a "
                    + "single row; use columns: probability")
        }
    }

    static func check<Value: Comparable>(
        _ name: String, _ value: Value, in range: ClosedRange<Value>
    ) throws(EnsembleModelError) {
        guard range.contains(value) else {
            throw EnsembleModelError(
                .invalidPolicy, "\(name) is \(value); it must be between \(range.lowerBound) and \(range.upperBound)")
        }
    }
}

extension Policy {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case admission, founding, columns, preset, parsimony, budget, gate, guardrails, retirement, rollout
        case coolDown = "cool_down"
        case statedApproval = "approval"
    }

    /// Decodes a policy; switches left out take their defaults, unknown ones are refused.
    public init(from decoder: any Decoder) throws {
        let values = try SwitchReader(decoder, CodingKeys.self, of: "policy")
        let defaults = Policy()
        admission = try values.choice(.admission, defaults.admission)
        founding = try values.choice(.founding, defaults.founding)
        columns = try values.choice(.columns, defaults.columns)
        preset = try values.choice(.preset, defaults.preset)
        parsimony = try values.read(.parsimony, defaults.parsimony)
        budget = try values.read(.budget, defaults.budget)
        gate = try values.read(.gate, defaults.gate)
        guardrails = try values.read(.guardrails, defaults.guardrails)
        retirement = try values.read(.retirement, defaults.retirement)
        coolDown = try values.read(.coolDown, defaults.coolDown)
        rollout = try values.readOptional(.rollout)
        approval = try values.choice(.statedApproval, .nobody)
        try validate()
    }
}

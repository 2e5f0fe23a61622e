/// The switches of an ensemble's decisions, one documented value, versioned in the registry.
public struct Policy: Hashable, Sendable, Codable {
    /// How a newcomer is let in.
    public enum Admission: String, Hashable, Sendable, Codable, CaseIterable {
        /// The published rule: retrain on members and newcomer, rank by `shapley_abs`, keep the best within the budget.
        case shapleyTopK = "shapley-top-k"
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

    /// How a newcomer is let in.
    public var admission: Admission
    /// What the ensemble may cost.
    public var budget: Budget
    /// Hyper-parameters of the combiner.
    public var preset: Preset
    /// Founding prefers the smallest set within this many (inflated) standard errors of the best; 0 takes the best.
    public var parsimony: Double

    /// Creates a policy; the defaults are those of a new ensemble.
    public init(
        admission: Admission = .shapleyTopK, budget: Budget = Budget(), preset: Preset = .auto, parsimony: Double = 0.5
    ) {
        self.admission = admission
        self.budget = budget
        self.preset = preset
        self.parsimony = parsimony
    }

    /// Checks the ranges of all switches.
    ///
    /// - Throws: ``EnsembleModelError`` with code `invalidPolicy` naming the switch.
    public func validate() throws(EnsembleModelError) {
        guard (1...64).contains(budget.members) else {
            throw EnsembleModelError(.invalidPolicy, "budget.members is \(budget.members); it must be between 1 and 64")
        }
        for (name, value) in [
            ("budget.latency_ms", budget.latencyMilliseconds), ("budget.cost_usd_per_10k", budget.costUSDPer10k),
        ] {
            guard let value else { continue }
            guard value.isFinite, value > 0 else {
                throw EnsembleModelError(.invalidPolicy, "\(name) is \(value); it must be a positive number")
            }
        }
        guard parsimony.isFinite, (0...10).contains(parsimony) else {
            throw EnsembleModelError(.invalidPolicy, "parsimony is \(parsimony); it must be between 0 and 10")
        }
    }
}

extension Policy {
    enum CodingKeys: String, CodingKey, CaseIterable {
        case admission, budget, preset, parsimony
    }

    /// Decodes a policy; switches left out take their defaults, unknown ones are refused.
    public init(from decoder: any Decoder) throws {
        try decoder.refuseUnknownKeys(CodingKeys.self, of: "policy")
        let values = try decoder.container(keyedBy: CodingKeys.self)
        let defaults = Policy()
        admission = try values.decodeIfPresent(Admission.self, forKey: .admission) ?? defaults.admission
        budget = try values.decodeIfPresent(Budget.self, forKey: .budget) ?? defaults.budget
        preset = try values.decodeIfPresent(Preset.self, forKey: .preset) ?? defaults.preset
        parsimony = try values.decodeIfPresent(Double.self, forKey: .parsimony) ?? defaults.parsimony
        try validate()
    }
}

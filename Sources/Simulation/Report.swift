/// What became of one stream of submissions under one rule.
public struct RunResult: Hashable, Sendable {
    /// The rule.
    public let rule: Rule
    /// Useless challengers that were promoted.
    public internal(set) var falsePromotions = 0
    /// Tests made on sealed rows.
    public internal(set) var gateTests = 0
    /// Submissions that were held since no test could be made.
    public internal(set) var held = 0
    /// The starting champion's loss on the validation set, in nats.
    public internal(set) var championLoss = 0.0
    /// By how much the validation set says that the loss fell, in nats.
    public internal(set) var claimedGain = 0.0
    /// By how much it fell on fresh rows, in nats.
    public internal(set) var freshGain = 0.0

    /// Of each kind of truly better challenger: the gain on fresh rows as a share of the loss, how many, how many in.
    let trueGains: [Double]
    var submittedByKind: [Int]
    var promotedByKind: [Int]

    init(rule: Rule, trueGains: [Double]) {
        self.rule = rule
        self.trueGains = trueGains
        submittedByKind = Array(repeating: 0, count: trueGains.count)
        promotedByKind = submittedByKind
    }
}

/// The runs of one rule together. Means are over runs, gains in nats.
public struct RuleReport: Hashable, Sendable, Codable {
    /// The chance that a truly better challenger is promoted.
    public struct Power: Hashable, Sendable, Codable {
        /// Its gain on fresh rows, as a share of the champion's loss.
        public let trueGain: Double
        public let submitted: Int
        public let promoted: Int
        /// Promoted of submitted.
        public let power: Double

        enum CodingKeys: String, CodingKey {
            case submitted, promoted, power
            case trueGain = "true_gain"
        }
    }

    public let rule: Rule
    public let runs: Int
    /// Useless challengers promoted in a run.
    public let falsePromotions: Double
    /// Share of runs with any.
    public let runsWithFalsePromotion: Double
    /// Useless challengers promoted, run by run.
    public let falsePromotionsByRun: [Int]
    /// By kind of truly better challenger; empty when none was submitted.
    public let power: [Power]
    /// Tests made on sealed rows in a run.
    public let gateTests: Double
    /// Submissions in a run that were held since no test could be made.
    public let held: Double
    public let championLoss: Double
    public let claimedGain: Double
    public let freshGain: Double

    enum CodingKeys: String, CodingKey {
        case rule, runs, power, held
        case falsePromotions = "false_promotions"
        case runsWithFalsePromotion = "runs_with_false_promotion"
        case falsePromotionsByRun = "false_promotions_by_run"
        case gateTests = "gate_tests"
        case championLoss = "champion_loss"
        case claimedGain = "claimed_gain"
        case freshGain = "fresh_gain"
    }

    /// Puts runs together, in their order; nil for none.
    public init?(_ results: [RunResult]) {
        guard let first = results.first else { return nil }
        func mean(_ value: (RunResult) -> Double) -> Double { results.map(value).mean }
        rule = first.rule
        runs = results.count
        falsePromotionsByRun = results.map(\.falsePromotions)
        falsePromotions = mean { Double($0.falsePromotions) }
        runsWithFalsePromotion = mean { $0.falsePromotions > 0 ? 1 : 0 }
        power = first.trueGains.indices.compactMap { kind in
            let submitted = results.reduce(0) { $0 + $1.submittedByKind[kind] }
            let promoted = results.reduce(0) { $0 + $1.promotedByKind[kind] }
            guard submitted > 0 else { return nil }
            return Power(
                trueGain: mean { $0.trueGains[kind] }, submitted: submitted, promoted: promoted,
                power: Double(promoted) / Double(submitted))
        }
        gateTests = mean { Double($0.gateTests) }
        held = mean { Double($0.held) }
        championLoss = mean(\.championLoss)
        claimedGain = mean(\.claimedGain)
        freshGain = mean(\.freshGain)
    }
}

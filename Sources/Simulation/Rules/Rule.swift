import EnsembleModel
import Evaluation

/// A rule of admission that can be played.
public enum Rule: String, Hashable, Sendable, Codable, CaseIterable {
    /// The registry's own: see ``Policy/Admission/gated``. Guardrails and retirement are not played.
    case gated
    /// The gate with standard errors as they are. The registry's factor for folds that depend on each other has nothing
    /// to correct where nothing is fitted, so this is the gate's power without that caution.
    case uninflated = "gated-uninflated"
    /// A lower loss on the validation set.
    case naive
    /// A gain of 1.645 standard errors, which is the one-sided 95 % bound that a bootstrap of the groups gives.
    case bootstrap
    /// The published rule, see ``Policy/Admission/shapleyTopK``: a mean absolute contribution among the largest.
    case topK = "top-k"

    func play(_ world: World, policy: Policy) -> any RulePlay {
        switch self {
        case .gated: GatedPlay(world, gate: policy.gate, inflation: Comparison.inflation)
        case .uninflated: GatedPlay(world, gate: policy.gate, inflation: 1)
        case .naive: ScorePlay(errors: 0)
        case .bootstrap: ScorePlay(errors: 1.645)
        case .topK: TopKPlay(places: policy.budget.members)
        }
    }
}

/// A rule as it judges one stream of submissions.
protocol RulePlay {
    mutating func judge(_ trial: Trial) -> Ruling
    /// Tests made on sealed rows.
    var gateTests: Int { get }
}

extension RulePlay {
    var gateTests: Int { 0 }
}

/// A challenger before the rule.
struct Trial {
    let world: World
    /// Position in the stream.
    let position: Int
    let submitter: String
    /// Loss of each row, in nats.
    let championLosses: [Double]
    let challengerLosses: [Double]
    /// What the challenger adds to the champion's logits.
    let change: [Double]

    /// By how much the challenger's loss is lower, over the rows that are open (or not), or over all.
    func gain(open: Bool? = nil) -> ClusterMean {
        let layout = world.rows.layout
        var mean = ClusterMean(groupCount: layout.groupCount)
        for (row, group) in layout.groups.enumerated() where open == nil || world.isOpen[row] == open {
            mean.add(championLosses[row] - challengerLosses[row], group: group)
        }
        return mean
    }
}

/// What a rule decided, and what it lets the submitter see.
struct Ruling {
    var isPromoted: Bool
    /// The gain shown, in nats.
    var score: Double
    /// Positions of the submissions that leave the ensemble for it.
    var leaving: [Int] = []
    /// Whether no test could be made.
    var isHeld = false
}

public import EnsembleModel

extension Scenario {
    /// Plays one run: the same world and the same draws for every rule.
    ///
    /// - Parameters:
    ///   - rules: the rules, each with a stream of its own.
    ///   - policy: the switches of the gate and the places of top-k.
    ///   - run: the number of the run, which picks its draws.
    /// - Returns: what became of the stream, rule by rule.
    /// - Throws: ``SimulationError`` when a setting is out of its range or the groups are too few to be split.
    public func play(_ rules: [Rule], policy: Policy, run: Int) throws(SimulationError) -> [RunResult] {
        try validate()
        let world = try world(run: run)
        return rules.map { rule in
            var stream = Stream(world, rule: rule, policy: policy, scenario: self, run: run)
            return stream.play()
        }
    }
}

/// A stream of submissions against one rule.
private struct Stream {
    private let world: World
    private let scenario: Scenario
    private let run: Int
    private let betterPositions: Set<Int>
    private var rule: any RulePlay
    private var adversary: Adversary
    private var random: RandomSource
    private var champion: Champion
    private var result: RunResult
    private var nextImprovement = 0

    init(_ world: World, rule: Rule, policy: Policy, scenario: Scenario, run: Int) {
        self.world = world
        self.scenario = scenario
        self.run = run
        self.rule = rule.play(world, policy: policy)
        var order = RandomSource(seed: scenario.seed, run: run, stream: 1)
        betterPositions = order.sample(
            scenario.trulyBetter, of: min(Scenario.firstBetterPosition, scenario.submissions)..<scenario.submissions)
        random = RandomSource(seed: scenario.seed, run: run, stream: 2)
        adversary = Adversary(valueCount: world.rows.logits.count)
        champion = Champion(world)
        result = RunResult(rule: rule, trueGains: world.trueGains)
    }

    mutating func play() -> RunResult {
        for position in 0..<scenario.submissions {
            if betterPositions.contains(position) {
                let index = nextImprovement
                nextImprovement += 1
                let kind = world.improvements[index].kind
                let ruling = submit(.improvement(index), world.improvements[index].change, at: position)
                result.submittedByKind[kind] += 1
                if ruling.isPromoted { result.promotedByKind[kind] += 1 }
            } else {
                let direction = adversary.direction(at: position) { world.rows.layout.noise(&random) }
                let change = direction.map { $0 * scenario.noise }
                let ruling = submit(.useless(change), change, at: position)
                adversary.learn(direction, score: ruling.score)
                if ruling.isPromoted { result.falsePromotions += 1 }
            }
        }
        var freshNoise = RandomSource(seed: scenario.seed, run: run, stream: 3)
        result.gateTests = rule.gateTests
        result.championLoss = world.rows.meanLoss(world.rows.logits)
        result.claimedGain = result.championLoss - champion.losses.mean
        result.freshGain = champion.freshGain(&freshNoise)
        return result
    }

    private mutating func submit(_ part: Champion.Part, _ change: [Double], at position: Int) -> Ruling {
        let logits = champion.logits.adding(change)
        let losses = world.rows.losses(logits)
        let trial = Trial(
            world: world, position: position, submitter: part.submitter, championLosses: champion.losses,
            challengerLosses: losses, change: change)
        let ruling = rule.judge(trial)
        if ruling.isHeld { result.held += 1 }
        if ruling.isPromoted { champion.promote(part, at: position, leaving: ruling.leaving) }
        return ruling
    }
}

import EnsembleModel
import Testing

@testable import Simulation

/// Small streams: a thousand rows, where the documented setting has four thousand.
struct SimulationTests {
    private static let variances = [0.02, 0.1, 0.6]

    private static func scenario(submissions: Int = 60, trulyBetter: Int, seed: UInt64 = 1) -> Scenario {
        Scenario(
            submissions: submissions, trulyBetter: trulyBetter, seed: seed,
            source: .generated(GeneratedRows(groups: 120, rowsPerGroup: 8, errorVariances: variances)))
    }

    private static func reports(
        _ scenario: Scenario, _ rules: [Rule], runs: Int, policy: Policy = Policy()
    ) throws -> [Rule: RuleReport] {
        let results = try (0..<runs).map { try scenario.play(rules, policy: policy, run: $0) }
        return Dictionary(
            uniqueKeysWithValues: rules.indices.compactMap { rule in
                RuleReport(results.map { $0[rule] }).map { ($0.rule, $0) }
            })
    }

    @Test func uselessChallengersPassScoresButNotTheGate() throws {
        let reports = try Self.reports(Self.scenario(trulyBetter: 0), Rule.allCases, runs: 3)
        let naive = try #require(reports[.naive])
        let gated = try #require(reports[.gated])
        #expect(naive.falsePromotions > 8)
        #expect(naive.runsWithFalsePromotion == 1)
        // What it claims is not there.
        #expect(naive.claimedGain > 0)
        #expect(naive.freshGain < 0)
        #expect(gated.falsePromotionsByRun.reduce(0, +) <= 1)
        #expect(gated.gateTests > 0)
        #expect(gated.freshGain >= -0.001)
        // Whoever comes while there is room gets in, and later the larger noise.
        #expect(try #require(reports[.topK]).falsePromotionsByRun.allSatisfy { $0 > Budget().members })
        let bootstrap = try #require(reports[.bootstrap])
        #expect((gated.falsePromotions..<naive.falsePromotions).contains(bootstrap.falsePromotions))
        #expect(reports.values.allSatisfy { $0.power.isEmpty })
    }

    @Test func powerGrowsWithTheTrueGain() throws {
        let reports = try Self.reports(Self.scenario(trulyBetter: 20), [.gated, .naive, .uninflated], runs: 3)
        let power = try #require(reports[.gated]).power
        #expect(power.map(\.submitted) == [21, 21, 18])
        #expect(power.map(\.trueGain) == power.map(\.trueGain).sorted())
        #expect(power.map(\.power) == power.map(\.power).sorted())
        #expect(power[0].power < 0.3)
        #expect(power[2].power > 0.8)
        #expect(power[2].trueGain > 0.04)
        #expect(try #require(reports[.naive]).power[2].power == 1)
        #expect(try #require(reports[.gated]).freshGain > 0.02)
        let promoted = { (report: RuleReport) in report.power.reduce(0) { $0 + $1.promoted } }
        #expect(try promoted(#require(reports[.uninflated])) > promoted(#require(reports[.gated])))
    }

    @Test func runsRepeatBitForBit() throws {
        let scenario = Self.scenario(submissions: 25, trulyBetter: 5)
        let first = try scenario.play(Rule.allCases, policy: Policy(), run: 1)
        #expect(try scenario.play(Rule.allCases, policy: Policy(), run: 1) == first)
        // A rule's stream does not depend on which others are played.
        #expect(try scenario.play([.naive], policy: Policy(), run: 1) == [first[2]])
        #expect(try scenario.play(Rule.allCases, policy: Policy(), run: 2) != first)
        var other = scenario
        other.seed = 2
        #expect(try other.play(Rule.allCases, policy: Policy(), run: 1) != first)
    }

    @Test func theLedgerEndsAnEpochsTests() throws {
        let scenario = Self.scenario(submissions: 25, trulyBetter: 0)
        let free = try #require(try scenario.play([.gated], policy: Policy(), run: 0).first)
        let policy = Policy(gate: .init(testsPerEpoch: 2))
        let bound = try #require(try scenario.play([.gated], policy: policy, run: 0).first)
        #expect(free.held == 0)
        #expect(bound.gateTests == 2)
        #expect(bound.held > 0)
        // A quota is of one submitter: the adversary's is spent, the team's is not.
        let quota = try #require(
            try Self.scenario(submissions: 25, trulyBetter: 3)
                .play([.gated], policy: Policy(gate: .init(testsPerSubmitter: 1)), run: 0).first)
        #expect((1...2).contains(quota.gateTests))
    }

    @Test func topKKeepsTheLargestContributions() throws {
        let scenario = Self.scenario(submissions: 40, trulyBetter: 20)
        let world = try scenario.world(run: 0)
        var play = TopKPlay(places: 2)
        let losses = world.rows.losses(world.rows.logits)
        func judge(_ position: Int, _ scale: Double) -> Ruling {
            let change = world.improvements[0].change.map { $0 * scale }
            return play.judge(
                Trial(
                    world: world, position: position, submitter: "s", championLosses: losses,
                    challengerLosses: world.rows.losses(world.rows.logits.adding(change)), change: change))
        }
        #expect(judge(0, 1).isPromoted)
        #expect(judge(1, 3).isPromoted)
        #expect(!judge(2, 0.5).isPromoted)
        let better = judge(3, 2)
        #expect(better.isPromoted)
        #expect(better.leaving == [0])
        #expect(judge(4, 5).leaving == [3])
    }

    @Test func whoLeavesTakesItsPartAlong() throws {
        let world = try Self.scenario(trulyBetter: 1).world(run: 0)
        var champion = Champion(world)
        champion.promote(.improvement(2), at: 0, leaving: [])
        let alone = champion.losses.mean
        champion.promote(.useless(world.rows.logits.map { $0 / 10 }), at: 1, leaving: [])
        champion.promote(.improvement(5), at: 2, leaving: [1])
        champion.promote(.improvement(8), at: 3, leaving: [2])
        let expected = world.rows.logits.adding(world.improvements[2].change).adding(world.improvements[8].change)
        #expect(abs(champion.losses.mean - world.rows.meanLoss(expected)) < 1e-12)
        #expect(champion.losses.mean < alone)
        var random = RandomSource(seed: 1, run: 0, stream: 9)
        let fresh = world.fresh.logits.adding(world.improvements[2].freshChange)
            .adding(world.improvements[8].freshChange)
        let gain = world.fresh.meanLoss(world.fresh.logits) - world.fresh.meanLoss(fresh)
        #expect(abs(champion.freshGain(&random) - gain) < 1e-12)
    }

    @Test func theAdversaryClimbsOnScores() throws {
        let world = try Self.scenario(trulyBetter: 0).world(run: 0)
        var random = RandomSource(seed: 3, run: 0, stream: 0)
        var adversary = Adversary(valueCount: world.rows.logits.count)
        let loss = world.rows.meanLoss(world.rows.logits)
        func score(_ direction: [Double]) -> Double {
            loss - world.rows.meanLoss(world.rows.logits.adding(direction, times: 0.05))
        }
        var probes: [Double] = []
        for position in 0..<29 {
            let direction = adversary.direction(at: position) { world.rows.layout.noise(&random) }
            probes.append(score(direction))
            adversary.learn(direction, score: score(direction))
        }
        let climbed = adversary.direction(at: 29) { [] }
        #expect(abs(climbed.map { $0 * $0 }.mean - 1) < 0.01)
        #expect(score(climbed) > 2 * probes.map(abs).mean)
        #expect(Adversary(valueCount: 2).direction(at: 9) { [1, 2] } == [1, 2])
    }
}

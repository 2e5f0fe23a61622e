import EnsembleModel
import Foundation
import Testing

@testable import Simulation

struct OwnRowsTests {
    /// Rows of three classes in groups of five, with a champion whose probabilities are those the labels come from.
    private static func task(groups: Int = 160) throws -> (validation: ValidationSet, predictions: Predictions) {
        var random = RandomSource(seed: 5, run: 0, stream: 0)
        var (rows, values): ([ValidationSet.Row], [Float]) = ([], [])
        for row in 0..<groups * 5 {
            let weights = (0..<3).map { _ in exp(random.normal()) }
            let probabilities = weights.map { $0 / weights.reduce(0, +) }
            let drawn = random.unit()
            let label = drawn < probabilities[0] ? 0 : drawn < probabilities[0] + probabilities[1] ? 1 : 2
            rows.append(.init(id: "\(10_000 + row)", label: label, group: "\(10_000 + row / 5)"))
            values += probabilities.map { Float($0) }
        }
        return (
            try ValidationSet(classes: ["a", "b", "c"], rows: rows), try Predictions(values: values, classCount: 3)
        )
    }

    @Test func betterChallengersHaveTheGainAskedFor() throws {
        let (validation, predictions) = try Self.task()
        let gains = [0.005, 0.02, 0.08]
        let own = try OwnRows(validation, predictions: predictions, trueGains: gains)
        let world = try Scenario(source: .own(own)).world(run: 0)
        for (measured, gain) in zip(world.trueGains, gains) { #expect(abs(measured - gain) < 0.004 + gain / 5) }
        // Each gains on some rows and loses on others, as a real one does.
        let losses = world.rows.losses(world.rows.logits)
        let better = world.rows.losses(world.rows.logits.adding(world.improvements[1].change))
        let share = Double(zip(losses, better).count { $0 > $1 }) / Double(losses.count)
        #expect((0.5..<0.8).contains(share))
        #expect(world.isOpen.contains(true) && world.isOpen.contains(false))
    }

    @Test func rulesAreToldApart() throws {
        let (validation, predictions) = try Self.task()
        let own = try OwnRows(validation, predictions: predictions, trueGains: [0.1])
        let scenario = Scenario(submissions: 60, trulyBetter: 5, source: .own(own))
        let results = try scenario.play([.gated, .naive], policy: Policy(), run: 0)
        #expect(results[0].falsePromotions <= 1)
        #expect(results[0].promotedByKind[0] >= 3)
        #expect(results[1].falsePromotions > 8)
        #expect(try scenario.play([.gated, .naive], policy: Policy(), run: 0) == results)
    }

    @Test func rowsWithoutPredictionAreLeftOut() throws {
        let (validation, predictions) = try Self.task()
        var values = predictions.values
        for index in 0..<3 { values[index] = .nan }
        let own = try OwnRows(
            validation, predictions: Predictions(values: values, classCount: 3), trueGains: [0.02])
        let world = try Scenario(source: .own(own)).world(run: 0)
        #expect(world.rows.labels == Array(validation.labels.dropFirst()))
        #expect(world.rows.meanLoss(world.rows.logits).isFinite)
    }

    @Test func badRowsAreExplained() throws {
        let (validation, predictions) = try Self.task()
        func message(_ predictions: Predictions, _ gains: [Double] = [0.02]) -> String {
            #expect(throws: SimulationError.self) {
                try OwnRows(validation, predictions: predictions, trueGains: gains)
            }?.message ?? "none"
        }
        #expect(message(predictions, [0]).contains("true gains"))
        #expect(message(predictions, []).contains("true gains"))
        let short = try Predictions(values: Array(predictions.values.prefix(30)), classCount: 3)
        #expect(message(short).contains("10 x 3"))
        let small = try Self.task(groups: 3)
        let error = #expect(throws: SimulationError.self) {
            try OwnRows(small.validation, predictions: small.predictions, trueGains: [0.02])
        }
        #expect(error?.message.contains("more groups") == true)
    }
}

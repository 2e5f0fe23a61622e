import EnsembleModel
import Testing

@testable import Shapley

@Suite("Loss-Shapley values")
struct SageTests {
    @Test("equal brute force over all coalitions")
    func bruteForce() throws {
        let trained = try TrainedForest(models: 4, leaves: 7)
        let values = try Sage(forest: trained.forest, players: trained.players)
            .values(rows: trained.block(5), labels: Array(trained.labels.prefix(5)))
        for row in 0..<5 {
            let expected = try shapleyValues(fromCoalitionValues: trained.gains(row: row), playerCount: 4)
            for (value, other) in zip(values[row * 4..<(row + 1) * 4], expected) { #expect(abs(value - other) <= 1e-9) }
        }
    }

    @Test(
        "sampled values sum exactly, repeat, and differ from the exact ones by no more than their standard errors say")
    func sampling() throws {
        let models = 8
        let rows = 200
        let trained = try TrainedForest(models: models, leaves: 15)
        let labels = Array(trained.labels.prefix(rows))
        let exact = try Sage(forest: trained.forest, players: trained.players).values(
            rows: trained.block(rows), labels: labels)
        let sampler = try Sage(forest: trained.forest, players: trained.players, exactPlayers: 0)
        let sampled = try sampler.values(rows: trained.block(rows), labels: labels)
        #expect(try sampler.values(rows: trained.block(rows), labels: labels) == sampled)
        #expect(try sampler.values(rows: trained.block(rows), labels: labels, firstRow: 1) != sampled)
        for row in 0..<rows {
            let own = row * models..<(row + 1) * models
            let difference = sampled[own].reduce(0, +) - exact[own].reduce(0, +)
            #expect(abs(difference) <= 1e-9)
        }
        for player in 0..<models {
            var error = ClusterMean(groupCount: rows)
            for row in 0..<rows { error.add(sampled[row * models + player] - exact[row * models + player], group: row) }
            let bound = 4 * (error.standardError ?? 0)
            #expect(abs(error.mean) <= bound + 1e-12)
            #expect(bound < 0.02, "the sampling error is small beside utilities, which are tenths of a nat")
        }
        #expect(stride(from: models - 1, to: sampled.count, by: models).allSatisfy { sampled[$0] == 0 })
    }

    @Test("the Shapley value of the glove game is the textbook's")
    func gloves() throws {
        // One left glove (player 0) and two right ones: a pair is worth 1.
        let values = (0..<8).map { $0 & 1 == 1 && $0 & 6 != 0 ? 1.0 : 0 }
        let result = try shapleyValues(fromCoalitionValues: values, playerCount: 3)
        for (value, expected) in zip(result, [2.0 / 3, 1.0 / 6, 1.0 / 6]) { #expect(abs(value - expected) <= 1e-15) }
    }
}

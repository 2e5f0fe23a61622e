import Boosting
import EnsembleModel
import RegistryTesting
import Testing

@testable import Forest
@testable import Shapley

@Suite("Grouped Shapley values")
struct GroupedShapleyTests {
    /// Short paths are tabulated, long ones (31 leaves, nine players) are not.
    static let sizes = [(1, 7), (4, 7), (6, 4), (9, 31)]

    @Test("equal brute force over all coalitions", arguments: sizes)
    func bruteForce(models: Int, leaves: Int) throws {
        let trained = try TrainedForest(models: models, leaves: leaves)
        let count = 4
        let phi = try GroupedShapley(forest: trained.forest, players: trained.players).values(
            rows: trained.block(count))
        for row in 0..<count {
            for (index, values) in trained.values(row: row).enumerated() {
                let expected = try shapleyValues(fromCoalitionValues: values, playerCount: models)
                let first = (row * trained.forest.classCount + index) * models
                for (value, other) in zip(phi[first..<first + models], expected) { #expect(abs(value - other) <= 1e-9) }
            }
        }
    }

    @Test("coalition values equal a walk through every tree", arguments: sizes)
    func coalitionValues(models: Int, leaves: Int) throws {
        let trained = try TrainedForest(models: models, leaves: leaves)
        var rowsSeen = 0
        try PathDependentValue(forest: trained.forest, players: trained.players).forEachEight(of: trained.block(11)) {
            rows, values in
            for (lane, row) in rows.enumerated() {
                for (position, expected) in trained.values(row: row).flatMap(\.self).enumerated() {
                    #expect(abs(values[position * 8 + lane] - expected) <= 1e-9)
                }
                rowsSeen += 1
            }
        }
        #expect(rowsSeen == 11)
    }

    @Test("sum with the base to the raw scores; a model that no tree splits on is worth nothing", arguments: sizes)
    func efficiencyAndNullPlayer(models: Int, leaves: Int) throws {
        let trained = try TrainedForest(models: models, leaves: leaves)
        let kernel = try GroupedShapley(forest: trained.forest, players: trained.players)
        let phi = try kernel.values(rows: trained.rows)
        let scores = trained.forest.rawScores(rows: trained.rows)
        for (index, score) in scores.enumerated() {
            let values = phi[index * models..<(index + 1) * models]
            let sum = values.reduce(kernel.base[index % kernel.classCount], +)
            #expect(abs(sum - score) <= 1e-9)
            #expect(values.last == 0)
        }
    }

    @Test("are equal for players who do the same, and known for a game of two")
    func symmetry() throws {
        // Both columns must be at most one half to earn 1; either alone holds for half of the rows.
        let tree = Tree(
            splitFeatures: [0, 1], thresholds: [0.5, 0.5], defaultsLeft: [true, true], missingRules: [.nan, .nan],
            leftChildren: [1, -1], rightChildren: [-3, -2], leafValues: [1, 0, 0], leafCounts: [25, 25, 50],
            internalCounts: [100, 50])
        let forest = Forest(trees: [tree], classCount: 1, featureCount: 2)
        let kernel = try GroupedShapley(forest: forest, players: Players(count: 2, columnsEach: 1))
        #expect(kernel.base == [0.25])
        #expect(try kernel.values(rows: [0, 0]) == [0.375, 0.375])
        #expect(try kernel.values(rows: [1, 1]) == [-0.125, -0.125])
        #expect(try kernel.values(rows: [.nan, 1]) == [0.125, -0.375])
        // As columns of one player they are worth together what they earn.
        let together = try GroupedShapley(forest: forest, players: Players(count: 1, columnsEach: 2))
        #expect(try together.values(rows: [0, 0, 0, 1]) == [0.75, -0.25])
    }

    @Test(
        "of the reference's model are the reference's", .enabled(if: SharedData.isPresent, "needs ../shared"),
        arguments: SharedData.names)
    func reference(name: String) throws {
        let data = try SharedData.load(name)
        let golden = data.golden["shapley"]
        let members = try data.models(data.golden["members"])
        let classCount = data.validation.classCount
        let fitter = try CrossFitter(
            library: .load(), labels: data.validation.labels, folds: data.validation.labels.indices.map { $0 % 2 },
            foldCount: 2,
            classCount: classCount, parameters: .standard)
        for member in members { try fitter.add(member, predictions: try #require(data.predictions[member])) }
        let kernel = try GroupedShapley(
            forest: fitter.fitAll(members).forest, players: Players(count: members.count, columnsEach: classCount))
        for (base, expected) in zip(kernel.base, golden["base"].doubles) { #expect(abs(base - expected) <= 1e-9) }

        let rowCount = golden["rows"].int
        let rows = (0..<rowCount).flatMap { row in
            members.flatMap { member in
                (0..<classCount).map { Double(data.predictions[member]?[row: row, class: $0] ?? .nan) }
            }
        }
        let phi = try kernel.values(rows: rows)
        for (value, expected) in zip(phi, golden["first_row"].array.flatMap(\.doubles)) {
            #expect(abs(value - expected) <= 1e-9)
        }
        for (member, expected) in golden["shapley_abs"].doubles.enumerated() {
            let sum = stride(from: member, to: phi.count, by: members.count).reduce(0.0) { $0 + abs(phi[$1]) }
            #expect(abs(sum / Double(rowCount) - expected) <= 1e-9)
        }
        #expect(golden["shapley_abs"].array.count == members.count && golden["base"].array.count == classCount)
    }

    @Test("games that cannot be played are refused with a reason")
    func refusals() throws {
        let trained = try TrainedForest(models: 2, leaves: 4, rowCount: 100)
        func code(_ body: () throws -> Void) -> ShapleyError.Code? {
            #expect(throws: ShapleyError.self, performing: body)?.code
        }
        let others = try Players(count: 3, columnsEach: 3)
        #expect(code { _ = try Players(count: 0, columnsEach: 3) } == .invalidPlayers)
        #expect(code { _ = try Players(ofColumn: [0, 2], count: 2) } == .invalidPlayers)
        #expect(code { _ = try GroupedShapley(forest: trained.forest, players: others) } == .invalidPlayers)
        #expect(
            code { _ = try PathDependentValue(forest: trained.forest, players: Players(count: 17, columnsEach: 3)) }
                == .tooManyPlayers)
        let kernel = try GroupedShapley(forest: trained.forest, players: trained.players)
        #expect(code { _ = try kernel.values(rows: [0]) } == .invalidShape)
        let sage = try Sage(forest: trained.forest, players: trained.players)
        #expect(code { _ = try sage.values(rows: trained.block(2), labels: [0]) } == .invalidShape)
        #expect(code { _ = try sage.values(rows: trained.block(1), labels: [3]) } == .invalidShape)
        #expect(code { _ = try shapleyValues(fromCoalitionValues: [0, 1, 2], playerCount: 2) } == .invalidShape)
    }
}

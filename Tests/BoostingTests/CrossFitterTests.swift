import EnsembleModel
import Forest
import RegistryTesting
import Testing

@testable import Boosting

/// What kinds of columns a model may bring.
enum ColumnKind: String, CaseIterable {
    /// Continuous probabilities.
    case dense
    /// Probabilities in steps of a fifth, most of them exactly zero, as k-nearest neighbours give them.
    case neighbours
    /// Zero but for a few rows in a thousand.
    case rare
    /// Every seventh row is missing.
    case missing
    /// The same in all rows.
    case constant
    /// Some columns constant, some only zeros, the rest continuous.
    case mixed
}

struct CrossFitterTests {
    static let classCount = 4

    /// Data sets grown by columns against data sets built at once: each mixture of kinds, in both presets.
    @Test(arguments: [BoostingParameters.standard, .small], mixtures)
    func growingByColumnsEqualsRebuilding(parameters: BoostingParameters, kinds: [ColumnKind]) throws {
        let fitter = try Self.fitter(rowCount: 1500, parameters: parameters)
        let models = try Self.add(kinds, to: fitter)
        let grown = try fitter.fit(models)
        let rebuilt = try fitter.rebuild(models)
        #expect(grown.models.map(\.text) == rebuilt.map(\.text))
        #expect(kinds == [.constant] || grown.models.allSatisfy { $0.forest.trees.contains { $0.nodeCount > 0 } })
    }

    static let mixtures: [[ColumnKind]] = [
        [.dense, .dense, .dense], [.neighbours, .neighbours, .neighbours, .neighbours], [.missing, .dense, .missing],
        [.dense, .constant, .neighbours], [.constant, .dense], [.constant], [.mixed, .mixed, .dense],
        ColumnKind.allCases,
    ]

    /// With these columns LightGBM's feature bundling would make the two differ.
    @Test func growingEqualsRebuildingWhereColumnsWouldBeBundled() throws {
        var parameters = BoostingParameters.standard
        parameters.minDataInLeaf = 1
        parameters.rounds = 20
        let fitter = try Self.fitter(rowCount: 25_000, parameters: parameters)
        let models = try Self.add([.rare, .rare, .rare, .rare], to: fitter)
        let grown = try fitter.fit(models).models
        #expect(try grown.map(\.text) == fitter.rebuild(models).map(\.text))
        #expect(grown.allSatisfy { $0.forest.trees.contains { $0.nodeCount > 0 } })
    }

    @Test func fitsDependNeitherOnEarlierFitsNorOnTheOrderOfModels() throws {
        let fitter = try Self.fitter(rowCount: 600, parameters: .standard)
        let models = try Self.add([.dense, .neighbours, .missing], to: fitter)
        let first = try fitter.fit(models)
        _ = try fitter.fit(models.suffix(2))
        _ = try fitter.fit(models.prefix(1))
        let again = try fitter.fit(models.reversed())
        #expect(first.coalition == models.sorted() && again.coalition == first.coalition)
        #expect(first.models == again.models && first.probabilities == again.probabilities)
        #expect(first.models.map(\.digest) == first.models.map { ContentDigest.of($0.text) })
    }

    @Test func heldOutRowsArePredictedByTheModelThatDidNotSeeThem() throws {
        let fitter = try Self.fitter(rowCount: 300, parameters: .standard)
        let model = try ModelVersionID("m0@1")
        let values = Self.values(.missing, rowCount: 300, seed: 0)
        try fitter.add(model, columns: values)
        let fit = try fitter.fit([model])
        let library = try LightGBM.load()
        for (row, fold) in Self.folds(300).enumerated() {
            let input = Array(values[row * Self.classCount..<(row + 1) * Self.classCount])
            let theirs = try library.predict(text: fit.models[fold].text, rows: input, raw: false)
            let ours = fit.probabilities[row * Self.classCount..<(row + 1) * Self.classCount]
            #expect(zip(ours, theirs).allSatisfy { abs($0 - $1) < 1e-12 })
        }
    }

    @Test func oneModelOfAllRowsIsTrainedOnAllRows() throws {
        let fitter = try Self.fitter(rowCount: 300, parameters: .standard)
        let models = try Self.add([.dense, .constant], to: fitter)
        let tree = try #require(try fitter.fitAll(models).forest.trees.first)
        #expect(tree.internalCounts.first == 300)
        #expect(try fitter.fit(models).models.first?.forest.trees.first?.internalCounts.first == 300 - 60)
    }

    @Test func removedModelsAreForgotten() throws {
        let fitter = try Self.fitter(rowCount: 100, parameters: .standard)
        let models = try Self.add([.dense], to: fitter)
        #expect(fitter.contains(models[0]))
        fitter.remove(models[0])
        #expect(!fitter.contains(models[0]))
        #expect { try fitter.fit(models) } throws: { ($0 as? BoostingError)?.code == .invalidInput }
    }

    @Test func inputsThatDoNotFitTogetherAreRefused() throws {
        let library = try LightGBM.load()
        func code(labels: [Int], folds: [Int], foldCount: Int = 2, classCount: Int = 2) -> BoostingError.Code? {
            do throws(BoostingError) {
                _ = try CrossFitter(
                    library: library, labels: labels, folds: folds, foldCount: foldCount, classCount: classCount,
                    parameters: .standard)
                return nil
            } catch { return error.code }
        }
        #expect(code(labels: [0, 1], folds: [0, 1]) == nil)
        #expect(code(labels: [], folds: []) == .invalidInput)
        #expect(code(labels: [0, 1], folds: [0]) == .invalidInput)
        #expect(code(labels: [0, 2], folds: [0, 1]) == .invalidInput)
        #expect(code(labels: [0, 1], folds: [0, -1]) == .invalidInput)
        #expect(code(labels: [0, 1], folds: [0, 0]) == .invalidInput)
        #expect(code(labels: [0, 1], folds: [0, 1], classCount: 1) == .invalidInput)
        let fitter = try Self.fitter(rowCount: 100, parameters: .standard)
        #expect(throws: BoostingError.self) { try fitter.add(ModelVersionID("m@1"), columns: [1, 2, 3]) }
        #expect(throws: BoostingError.self) { try fitter.fit([ModelVersionID]()) }
    }

    // MARK: Made-up inputs

    static func folds(_ rowCount: Int) -> [Int] { (0..<rowCount).map { $0 % 5 } }

    static func label(_ row: Int) -> Int { (row / 5 + row / 11) % classCount }

    static func fitter(rowCount: Int, parameters: BoostingParameters) throws -> CrossFitter {
        try CrossFitter(
            library: .load(), labels: (0..<rowCount).map(label), folds: folds(rowCount), foldCount: 5,
            classCount: classCount,
            parameters: parameters)
    }

    static func add(_ kinds: [ColumnKind], to fitter: CrossFitter) throws -> [ModelVersionID] {
        try kinds.enumerated().map { index, kind in
            let model = try ModelVersionID(name: "m\(index)-\(kind)", version: "1")
            try fitter.add(model, columns: values(kind, rowCount: fitter.rowCount, seed: UInt64(index)))
            return model
        }
    }

    static func values(_ kind: ColumnKind, rowCount: Int, seed: UInt64) -> [Double] {
        var random = SplitMix64(seed: seed &* 1000 &+ UInt64(kind.rawValue.utf8.count))
        var values: [Double] = []
        for row in 0..<rowCount {
            var weights = (0..<classCount).map { _ in Double.random(in: 0.05..<1, using: &random) }
            weights[label(row)] += 0.7
            let sum = weights.reduce(0, +)
            switch kind {
            case .constant: values += [0.1, 0.2, 0.3, 0.4]
            case .dense: values += weights.map { $0 / sum }
            case .missing: values += weights.map { row % 7 == 3 ? .nan : $0 / sum }
            case .rare:
                values += weights.enumerated().map { column, weight in
                    Double.random(in: 0..<1, using: &random) < (column == label(row) ? 0.006 : 0.0006) ? weight : 0
                }
            case .mixed: values += [0, 0.5, weights[2] / sum, weights[3] / sum]
            case .neighbours:
                let near = Int.random(in: 0..<10, using: &random)
                var votes = [Double](repeating: 0, count: classCount)
                votes[near < 6 ? label(row) : near % classCount] += 0.8
                votes[near % 3 == 0 ? (near + 1) % classCount : label(row)] += 0.2
                values += votes
            }
        }
        return values
    }
}

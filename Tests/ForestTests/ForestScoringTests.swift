import Boosting
import EnsembleModel
import Forest
import RegistryTesting
import Testing

/// Scores and averages against what LightGBM itself computes from the same text.
struct ForestScoringTests {
    @Test func scoresAreLightGBMs() throws {
        try compare(Self.trained().models[0].text, rows: Self.rows(columnCount: Self.columnCount))
    }

    /// Rules for missing values and thresholds about zero that training rarely or never writes.
    @Test func unusualRulesAndThresholdsAreLightGBMs() throws {
        var random = SplitMix64(seed: 3)
        var model = try TextModel(String(decoding: Self.trained().models[0].text, as: UTF8.self))
        let thresholds = [
            "0", "-0", "1e-36", "-1e-36", "1.0000000180025095e-35", "-1.0000000180025095e-35", "1e-30", "inf", "-inf",
            "0.25",
        ]
        for tree in model.trees.indices {
            model.trees[tree] = model.trees[tree].map { line in
                let parts = line.split(separator: "=", omittingEmptySubsequences: false)
                let count = parts.count == 2 ? parts[1].split(separator: " ").count : 0
                switch parts[0] {
                case "decision_type":
                    return "decision_type="
                        + (0..<count).map { _ in "\(Int.random(in: 0..<6, using: &random) * 2)" }.joined(separator: " ")
                case "threshold":
                    return "threshold="
                        + (0..<count).map { _ in thresholds.randomElement(using: &random) ?? "0" }.joined(
                            separator: " ")
                default: return line
                }
            }
        }
        let forest = try Forest(lightGBMText: model.text)
        #expect(Set(forest.trees.flatMap(\.missingRules)) == [.none, .zero, .nan])
        try compare(Array(model.text.utf8), rows: Self.rows(columnCount: Self.columnCount))
    }

    @Test func theAverageIsOneTextThatLightGBMLoads() throws {
        let fit = try Self.trained()
        let text = try Forest.averaged(lightGBMTexts: fit.models.map(\.text))
        let average = try Forest(lightGBMText: text)
        #expect(average.trees.count == fit.models.reduce(0) { $0 + $1.forest.trees.count })
        let rows = Self.rows(columnCount: Self.columnCount)
        let each = fit.models.map { $0.forest.rawScores(rows: rows) }
        let mean = each[0].indices.map { index in each.reduce(0) { $0 + $1[index] } / Double(each.count) }
        for scores in [average.rawScores(rows: rows), try LightGBM.load().predict(text: text, rows: rows, raw: true)] {
            #expect(scores.count == mean.count)
            #expect(zip(scores, mean).allSatisfy { abs($0 - $1) < 1e-12 })
        }
        try compare(text, rows: rows)
    }

    @Test func theAverageKeepsTheTextAroundTheTrees() throws {
        var wide = TextModel().replacing("feature_infos", "feature_infos=[0.5:2] [0.25:0.5] none")
        wide.trees[0] = wide.trees[0].map { $0.hasPrefix("split_feature=") ? "split_feature=2 2 2" : $0 }
        let average = try String(
            decoding: Forest.averaged(lightGBMTexts: [TextModel(), wide].map { Array($0.text.utf8) }), as: UTF8.self)
        #expect(average.contains("\nfeature_infos=[0.0:2.0] [0.1:0.9] none\n"))
        #expect(average.contains("\nleaf_value=0.05 -0.1 0.15 -0.2\n") && average.contains("\nleaf_value=-0.75\n"))
        #expect(average.contains("\nshrinkage=0.5\n") && average.contains("\nTree=3\n"))
        #expect(average.contains("end of trees\n\nfeature_importances:\nc=3\na=2\nb=1\n\nparameters:\n"))
        #expect(average.hasSuffix("[boosting: gbdt]\nend of parameters\n"))
    }

    @Test func theAverageOfOneIsItself() throws {
        let model = try Self.trained().models[0]
        #expect(try Forest(lightGBMText: Forest.averaged(lightGBMTexts: [model.text])) == model.forest)
    }

    @Test func textsThatDoNotBelongTogetherHaveNoAverage() throws {
        let other = TextModel().replacing("feature_names", "feature_names=a b d")
        for texts in [[], [TextModel(), other]] {
            let error = #expect(throws: ForestError.self) {
                try Forest.averaged(lightGBMTexts: texts.map { Array($0.text.utf8) })
            }
            #expect(error?.code == .mismatched)
        }
    }

    @Test func softmaxSurvivesLargeScores() {
        var scores = [1000.0, 0, -1000, 5, 5, 5]
        Forest.softmax(&scores, classCount: 3)
        let third = 1.0 / 3
        #expect(scores == [1, 0, 0, third, third, third])
    }

    // MARK: Trained models

    static let columnCount = 6

    private func compare(_ text: [UInt8], rows: [Double]) throws {
        let forest = try Forest(lightGBMText: text)
        let library = try LightGBM.load()
        for (ours, raw) in [(forest.rawScores(rows: rows), true), (forest.probabilities(rows: rows), false)] {
            let theirs = try library.predict(text: text, rows: rows, raw: raw)
            #expect(ours.count == theirs.count)
            let worst = zip(ours, theirs).map { abs($0 - $1) }.max() ?? .infinity
            #expect(worst < 1e-12)
        }
    }

    /// Two models of three classes, one with zeros and missing rows.
    private static func trained() throws -> CrossFit {
        var random = SplitMix64(seed: 9)
        let rowCount = 800
        let labels = (0..<rowCount).map { _ in Int.random(in: 0..<3, using: &random) }
        var parameters = BoostingParameters.standard
        parameters.rounds = 15
        let fitter = try CrossFitter(
            library: .load(), labels: labels, folds: labels.indices.map { $0 % 5 }, foldCount: 5, classCount: 3,
            parameters: parameters)
        let models = try [ModelVersionID("dense@1"), ModelVersionID("sparse@1")]
        for (index, model) in models.enumerated() {
            try fitter.add(
                model,
                columns: labels.flatMap { label in
                    (0..<3).map { column in
                        let value = Double.random(in: 0..<1, using: &random) + (column == label ? 0.3 : 0)
                        return index == 0 ? value : value < 0.3 ? .nan : value < 0.7 ? 0 : value
                    }
                })
        }
        return try fitter.fit(models)
    }

    /// Rows of ordinary values and of every special one.
    private static func rows(columnCount: Int) -> [Double] {
        var random = SplitMix64(seed: 5)
        let zero = Double(Float(1e-35))
        let special: [Double] = [
            0, -0.0, .nan, .infinity, -.infinity, 1e-36, -1e-36, 1e-35, -1e-35, 1.1e-35, zero, -zero, zero.nextUp,
            .leastNonzeroMagnitude,
        ]
        return (0..<columnCount * 2000).map { index in
            index.isMultiple(of: 3)
                ? special.randomElement(using: &random) ?? 0 : Double.random(in: -0.2..<1.3, using: &random)
        }
    }
}

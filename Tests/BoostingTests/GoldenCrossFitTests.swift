import Boosting
import EnsembleModel
import Foundation
import RegistryTesting
import Testing

/// Cross-fits of real prediction sets against numbers computed with Python's lightgbm and numpy.
@Suite(.enabled(if: SharedData.isPresent, "needs ../shared/data"))
struct GoldenCrossFitTests {
    @Test(arguments: SharedData.names)
    func outOfFoldNumbersAreTheReferences(name: String) throws {
        let data = try SharedData.load(name)
        let members = try data.models(data.golden["members"])
        let fit = try crossFitter(data, .standard).fit(members)
        let golden = data.golden["oof"]
        let scores = Scores(fit.probabilities, labels: data.validation.labels, classCount: data.validation.classCount)
        #expect(abs(scores.logLoss - golden["log_loss"].double) < 1e-9)
        #expect(abs(scores.accuracy - golden["accuracy"].double) < 1e-9)
        #expect(abs(scores.macroF1 - golden["macro_f1"].double) < 1e-9)
        let rows = golden["first_rows"].array.flatMap(\.doubles)
        #expect(rows.count == 5 * data.validation.classCount)
        for (ours, theirs) in zip(fit.probabilities, rows) { #expect(abs(ours - theirs) < 1e-9) }
    }

    @Test func presetsAndColumnsAreTheReferences() throws {
        let data = try SharedData.load("esci_us")
        for golden in data.golden["columns"].array {
            let parameters = golden["preset"].string == "small" ? BoostingParameters.small : .standard
            let models = try data.models(golden["models"])
            let withGroup = golden["columns"].string == "probability+group"
            let fit = try crossFitter(data, parameters, models: models, withGroup: withGroup).fit(models)
            let scores = Scores(
                fit.probabilities, labels: data.validation.labels, classCount: data.validation.classCount)
            #expect(abs(scores.logLoss - golden["log_loss"].double) < 1e-9, "\(golden)")
            #expect(abs(scores.accuracy - golden["accuracy"].double) < 1e-9, "\(golden)")
        }
    }

    private func crossFitter(
        _ data: SharedData, _ parameters: BoostingParameters, models: [ModelVersionID]? = nil, withGroup: Bool = false
    ) throws -> CrossFitter {
        let folds = data.validation.groups.map { group in
            let digest = ContentDigest.of("fold|e1\u{1F}\(data.validation.groupNames[group])").hex
            return Int((UInt64(digest.prefix(16), radix: 16) ?? 0) % 5)
        }
        let fitter = try CrossFitter(
            library: .load(), labels: data.validation.labels, folds: folds, foldCount: 5,
            classCount: data.validation.classCount,
            parameters: parameters)
        for model in models ?? data.models {
            let predictions = try #require(data.predictions[model])
            if withGroup {
                try fitter.add(model, columns: Self.withDeviations(predictions, groups: data.validation.groups))
            } else {
                try fitter.add(model, predictions: predictions)
            }
        }
        return fitter
    }

    /// Each row's probabilities, then their deviations from the mean over the rows of its group.
    private static func withDeviations(_ predictions: Predictions, groups: [Int]) -> [Double] {
        let classCount = predictions.classCount
        let groupCount = (groups.max() ?? 0) + 1
        var sums = [Double](repeating: 0, count: groupCount * classCount)
        var counts = [Double](repeating: 0, count: groupCount)
        for (row, group) in groups.enumerated() {
            counts[group] += 1
            for column in 0..<classCount {
                sums[group * classCount + column] += Double(predictions[row: row, class: column])
            }
        }
        return groups.enumerated().flatMap { row, group in
            let values = (0..<classCount).map { Double(predictions[row: row, class: $0]) }
            return values + values.enumerated().map { $1 - sums[group * classCount + $0] / counts[group] }
        }
    }
}

/// Metrics as `reference/common.py` defines them.
private struct Scores {
    var logLoss = 0.0
    var accuracy = 0.0
    var macroF1 = 0.0

    init(_ probabilities: [Double], labels: [Int], classCount: Int) {
        var hits = [Double](repeating: 0, count: classCount)
        var claims = hits
        var truths = hits
        for (row, label) in labels.enumerated() {
            let values = probabilities[row * classCount..<(row + 1) * classCount]
            let best =
                values.indices.reduce(values.startIndex) { values[$1] > values[$0] ? $1 : $0 } - values.startIndex
            logLoss -= log(min(max(values[values.startIndex + label], 1e-7), 1 - 1e-7))
            claims[best] += 1
            truths[label] += 1
            if best == label { hits[label] += 1 }
        }
        logLoss /= Double(labels.count)
        accuracy = hits.reduce(0, +) / Double(labels.count)
        macroF1 =
            (0..<classCount).map { hits[$0] == 0 ? 0 : 2 * hits[$0] / (claims[$0] + truths[$0]) }.reduce(0, +)
            / Double(classCount)
    }
}

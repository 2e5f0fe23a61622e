import EnsembleModel
import Foundation

/// Figures of class probabilities against the labels of a validation set.
enum Scoring {
    /// Probabilities are clipped to [1e-7, 1 - 1e-7] before the logarithm.
    static let clip = 1e-7

    /// -ln of the label's clipped probability, in nats.
    static func loss(_ probability: Double) -> Double { -log(min(max(probability, clip), 1 - clip)) }

    /// The losses of N x K probabilities, row by row.
    static func rowLosses(_ probabilities: [Double], labels: [Int], classCount: Int) -> [Double] {
        labels.indices.map { loss(probabilities[$0 * classCount + labels[$0]]) }
    }

    /// The most probable class of each row of N x K probabilities, the first of equals.
    static func predictedClasses(_ probabilities: [Double], classCount: Int) -> [UInt8] {
        stride(from: 0, to: probabilities.count, by: classCount).map { first in
            UInt8(best(of: probabilities[first..<first + classCount]))
        }
    }

    /// The position of the largest value, the first of equals.
    static func best(of row: ArraySlice<Double>) -> Int {
        var best = row.startIndex
        for index in row.indices where row[index] > row[best] { best = index }
        return best - row.startIndex
    }

    /// The class shares of some rows with one added to each count: what is known without any model.
    static func classPrior(_ validation: ValidationSet, rows: [Int]) -> [Double] {
        var counts = [Int](repeating: 1, count: validation.classCount)
        for row in rows { counts[validation.labels[row]] += 1 }
        return counts.map { Double($0) / Double(rows.count + validation.classCount) }
    }
}

/// Gathers ``ClassificationMetrics`` row by row.
struct MetricsAccumulator {
    private var truePositives: [Int]
    private var predicted: [Int]
    private var present: [Int]
    private var lossSum = 0.0
    private var rowCount = 0

    init(classCount: Int) {
        truePositives = Array(repeating: 0, count: classCount)
        predicted = truePositives
        present = truePositives
    }

    /// Adds a row of K probabilities; a missing row (NaN) is left out.
    mutating func add(_ row: ArraySlice<Double>, label: Int) {
        guard let first = row.first, !first.isNaN else { return }
        add(Scoring.best(of: row), loss: Scoring.loss(row[row.startIndex + label]), label: label)
    }

    /// Adds a row by its most probable class and its loss.
    mutating func add(_ best: Int, loss: Double, label: Int) {
        predicted[best] += 1
        present[label] += 1
        if best == label { truePositives[label] += 1 }
        lossSum += loss
        rowCount += 1
    }

    /// The metrics of the rows added; NaN without rows.
    var metrics: ClassificationMetrics {
        let scores = truePositives.indices.map { index in
            let positives = predicted[index] + present[index]
            return positives > 0 ? Double(2 * truePositives[index]) / Double(positives) : 0
        }
        let rows = Double(rowCount)
        return ClassificationMetrics(
            accuracy: Double(truePositives.reduce(0, +)) / rows,
            macroF1: scores.reduce(0, +) / Double(scores.count),
            weightedF1: zip(scores, present).reduce(0) { $0 + $1.0 * Double($1.1) } / rows,
            logLoss: lossSum / rows)
    }
}

extension ClassificationMetrics {
    /// The out-of-fold metrics of a fitted set.
    init(_ fitted: FittedSet, rows: [Int], validation: ValidationSet) {
        var accumulator = MetricsAccumulator(classCount: validation.classCount)
        for row in rows {
            accumulator.add(
                Int(fitted.predictedClasses[row]), loss: fitted.rowLosses[row], label: validation.labels[row])
        }
        self = accumulator.metrics
    }

    /// The metrics of the plain average of models' probabilities, or of one alone: in each row over the models that
    /// cover it, without the rows that none covers.
    init(averageOf models: [Predictions], rows: [Int], validation: ValidationSet) {
        var accumulator = MetricsAccumulator(classCount: validation.classCount)
        for row in rows {
            let present = models.filter { !$0.isMissing(row: row) }
            let average = (0..<validation.classCount).map { index in
                present.reduce(0) { $0 + Double($1[row: row, class: index]) } / Double(present.count)
            }
            accumulator.add(average[...], label: validation.labels[row])
        }
        self = accumulator.metrics
    }

    /// The metrics of predicting the rows' class shares for every row.
    init(classPriorOf validation: ValidationSet, rows: [Int]) {
        let prior = Scoring.classPrior(validation, rows: rows)
        var accumulator = MetricsAccumulator(classCount: prior.count)
        for row in rows { accumulator.add(prior[...], label: validation.labels[row]) }
        self = accumulator.metrics
    }
}

extension Predictions {
    /// Mean over the rows that both cover of half the sum of absolute differences; nil when they share no row.
    func meanTotalVariation(to other: Predictions) -> Double? {
        var sum = 0.0
        var count = 0
        for row in 0..<rowCount where !isMissing(row: row) && !other.isMissing(row: row) {
            var difference = 0.0
            for index in 0..<classCount {
                difference += abs(Double(self[row: row, class: index]) - Double(other[row: row, class: index]))
            }
            sum += difference / 2
            count += 1
        }
        return count > 0 ? sum / Double(count) : nil
    }
}

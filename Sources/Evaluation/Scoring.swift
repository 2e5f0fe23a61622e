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

    /// The class shares of all rows with one added to each count: what is known without any model.
    static func classPrior(_ validation: ValidationSet) -> [Double] {
        var counts = [Int](repeating: 1, count: validation.classCount)
        for label in validation.labels { counts[label] += 1 }
        return counts.map { Double($0) / Double(validation.rowCount + validation.classCount) }
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
    mutating func add(_ row: some RandomAccessCollection<Double>, label: Int) {
        guard let first = row.first, !first.isNaN else { return }
        var best = 0
        var highest = first
        var labelProbability = first
        for (index, probability) in row.enumerated() {
            if probability > highest { (best, highest) = (index, probability) }
            if index == label { labelProbability = probability }
        }
        predicted[best] += 1
        present[label] += 1
        if best == label { truePositives[label] += 1 }
        lossSum += Scoring.loss(labelProbability)
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
    /// The metrics of N x K probabilities.
    init(_ probabilities: [Double], validation: ValidationSet) {
        let classCount = validation.classCount
        var accumulator = MetricsAccumulator(classCount: classCount)
        for (row, label) in validation.labels.enumerated() {
            accumulator.add(probabilities[row * classCount..<(row + 1) * classCount], label: label)
        }
        self = accumulator.metrics
    }

    /// The metrics of one model alone, over the rows it covers.
    init(_ predictions: Predictions, validation: ValidationSet) {
        self.init(averageOf: [predictions], validation: validation)
    }

    /// The metrics of the plain average of models' probabilities: in each row over the models that cover it, without
    /// the rows that none covers.
    init(averageOf models: [Predictions], validation: ValidationSet) {
        var accumulator = MetricsAccumulator(classCount: validation.classCount)
        for (row, label) in validation.labels.enumerated() {
            let present = models.filter { !$0.isMissing(row: row) }
            let average = (0..<validation.classCount).map { index in
                present.reduce(0) { $0 + Double($1[row: row, class: index]) } / Double(present.count)
            }
            accumulator.add(average, label: label)
        }
        self = accumulator.metrics
    }

    /// The metrics of predicting the class shares for every row.
    init(classPriorOf validation: ValidationSet) {
        let prior = Scoring.classPrior(validation)
        var accumulator = MetricsAccumulator(classCount: prior.count)
        for label in validation.labels { accumulator.add(prior, label: label) }
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

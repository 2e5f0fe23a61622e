public import EnsembleModel
import Foundation

/// The rows of a real validation set with its champion's out-of-fold probabilities.
///
/// The plain average of the champion's members may stand for these where nothing is to be fitted: members saw no label
/// of these rows, so it is as honest, if mostly a little worse than what a combiner makes of them. Gains are then
/// asked for as shares of its loss.
///
/// The labels stay as they are, so a truly better challenger is made to fit them as much as one that is better would.
/// Its logits are the champion's plus noise of variance v, leaning towards the labels by v times (label -
/// probability). That is, to first order, how noise is distributed given labels that were drawn from the challenger:
/// rows differ in what they gain, as they do under a real one, and the mean gain grows with v. Other draws of the
/// same challenger on the same rows take the place of fresh rows.
public struct OwnRows: Sendable {
    private let rows: Rows
    private let isOpen: [Bool]
    private let lean: [Double]
    /// Standard deviation of each kind of challenger's noise.
    private let scales: [Double]

    /// Probabilities are at least this, as in the product's log-loss.
    private static let smallestProbability = 1e-7
    private static let calibrationDraws = 4
    private static let largestScale = 4.0

    /// Prepares rows; those without a prediction are left out.
    ///
    /// - Parameters:
    ///   - predictions: the champion's, for the rows of `validation` in order.
    ///   - salt: what the rows are split by; nil for that of a set without an earlier epoch.
    ///   - trueGains: the gains of truly better challengers, as shares of the champion's loss, used in turn.
    /// - Throws: ``SimulationError`` when the rows cannot be split or are too many, or when a gain cannot be had.
    public init(
        _ validation: ValidationSet, predictions: Predictions, salt: String? = nil, trueGains: [Double]
    ) throws(SimulationError) {
        guard predictions.rowCount == validation.rowCount, predictions.classCount == validation.classCount else {
            throw SimulationError(
                .invalidRows,
                "predictions are \(predictions.rowCount) x \(predictions.classCount), the labels need "
                    + "\(validation.rowCount) x \(validation.classCount)")
        }
        guard !trueGains.isEmpty, trueGains.allSatisfy({ (0.0001...0.5).contains($0) }) else {
            throw SimulationError(.invalidScenario, "true gains must be between 0.01 and 50 % of the loss")
        }
        let kept = (0..<validation.rowCount).filter { !predictions.isMissing(row: $0) }
        try Scenario.check("rows", kept.count, in: 2...Scenario.maximumRows)
        do {
            let split = try HashSplit(validation, salt: salt ?? validation.epochSalt)
            isOpen = kept.map { split.isOpen[$0] }
        } catch {
            throw SimulationError(.invalidRows, error.message)
        }
        let classCount = validation.classCount
        let probabilities = kept.flatMap { row in
            (0..<classCount).map { max(Double(predictions[row: row, class: $0]), Self.smallestProbability) }
        }
        let rows = Rows(
            layout: .init(
                classCount: classCount, groups: kept.map { validation.groups[$0] },
                groupCount: validation.groupNames.count),
            labels: kept.map { validation.labels[$0] }, logits: probabilities.map { log($0) })
        let lean = Self.lean(rows, probabilities)
        var random = RandomSource(seed: 0, run: 0, stream: 0)
        let draws = (0..<Self.calibrationDraws).map { _ in rows.layout.noise(&random) }
        var scales: [Double] = []
        for gain in trueGains { scales.append(try Self.scale(of: gain, rows, lean: lean, draws: draws)) }
        (self.rows, self.lean, self.scales) = (rows, lean, scales)
    }

    func world(_ random: inout RandomSource) -> World {
        World(
            rows, fresh: rows, isOpen: isOpen,
            improvements: (0..<Scenario.mostBetter).map { index in
                let kind = index % scales.count
                func draw() -> [Double] { change(scales[kind], rows.layout.noise(&random)) }
                return .init(kind: kind, change: draw(), freshChange: draw())
            },
            kinds: scales.count)
    }

    private func change(_ scale: Double, _ noise: [Double]) -> [Double] { Self.change(scale, noise, lean: lean) }

    private static func change(_ scale: Double, _ noise: [Double], lean: [Double]) -> [Double] {
        zip(noise, lean).map { scale * $0 + scale * scale * $1 }
    }

    /// Label - probability of each row and class, and of its group as far as its rows share the noise.
    private static func lean(_ rows: Rows, _ probabilities: [Double]) -> [Double] {
        let (layout, classCount) = (rows.layout, rows.layout.classCount)
        var residuals = probabilities
        var sums = [Double](repeating: 0, count: layout.groupCount * classCount)
        for row in rows.labels.indices {
            let first = row * classCount
            let total = probabilities[first..<first + classCount].reduce(0, +)
            for index in 0..<classCount {
                let residual = (rows.labels[row] == index ? 1 : 0) - probabilities[first + index] / total
                residuals[first + index] = residual
                sums[layout.groups[row] * classCount + index] += residual
            }
        }
        return residuals.indices.map { index in
            let group = layout.groups[index / classCount] * classCount + index % classCount
            return (1 - Rows.groupShare) * residuals[index] + Rows.groupShare * sums[group]
        }
    }

    /// The noise's standard deviation at which the mean gain is the one asked for.
    private static func scale(
        of gain: Double, _ rows: Rows, lean: [Double], draws: [[Double]]
    ) throws(SimulationError) -> Double {
        let loss = rows.meanLoss(rows.logits)
        func reached(_ scale: Double) -> Double {
            draws.map { 1 - rows.meanLoss(rows.logits.adding(change(scale, $0, lean: lean))) / loss }.mean
        }
        // The smallest scale that reaches the gain: from below by doubling, then between.
        var (low, high) = (0.0, 0.01)
        while reached(high) < gain {
            (low, high) = (high, high * 2)
            guard high <= largestScale else {
                throw SimulationError(
                    .invalidRows,
                    "no challenger gains \(gain) of the loss on these rows: the champion's probabilities do not fit "
                        + "the labels; give its out-of-fold probabilities")
            }
        }
        for _ in 0..<20 {
            let middle = (low + high) / 2
            if reached(middle) < gain { low = middle } else { high = middle }
        }
        return high
    }
}

import EnsembleModel
import Foundation

/// What an admission must not make worse, on sealed rows.
struct Guardrails {
    /// A slice is tested when it has so many sealed rows ...
    static let minimumSliceRows = 100
    /// ... in so many groups.
    static let minimumSliceGroups = 30
    /// Bins of the calibration error, of equal mass.
    static let calibrationBins = 15
    /// Shares are clipped to this in the population stability index.
    static let smallestShare = 1e-4

    private let inputs: Inputs
    private let limits: Policy.Guardrails
    private let champion: Coalitions.Fit
    private let found: Coalitions.Fit
    private let before: [Double]
    private let after: [Double]

    init(_ trial: AdmissionTrial, champion: Coalitions.Fit, found: Coalitions.Fit) throws {
        inputs = trial.inputs
        limits = trial.request.policy.guardrails
        self.champion = champion
        self.found = found
        before = try trial.coalitions.probabilities(of: champion)
        after = try trial.coalitions.probabilities(of: found)
    }

    /// All guardrails, slices in order first.
    func check() -> [SealedEvidence.Guardrail] {
        slices() + [brierScore(), calibration(), macroF1(), populationStability()]
    }

    /// A slice's loss must not rise by much and significantly, all slices' tests together.
    private func slices() -> [SealedEvidence.Guardrail] {
        let validation = inputs.validation
        var rowsOfSlice = validation.sliceNames.map { _ in [Int]() }
        for row in inputs.sealedRows { rowsOfSlice[validation.slices[row]].append(row) }
        return zip(validation.sliceNames, rowsOfSlice).compactMap { name, rows in
            let groups = Set(rows.map { validation.groups[$0] }).count
            guard rows.count >= Self.minimumSliceRows, groups >= Self.minimumSliceGroups else { return nil }
            let rise = Comparison(found, champion, rows: rows, validation: validation)
            let loss = champion.meanLoss(over: rows)
            let quantile = StudentT(degrees: groups - 1).upperQuantile(limits.sliceAlpha / Double(rowsOfSlice.count))
            return SealedEvidence.Guardrail(
                kind: .sliceLoss, slice: name, before: loss, after: loss + rise.gain,
                standardError: rise.standardError,
                passed: !(rise.gain > limits.sliceLoss * loss && rise.z > quantile))
        }
    }

    private func brierScore() -> SealedEvidence.Guardrail {
        let validation = inputs.validation
        func score(_ probabilities: [Double], _ row: Int) -> Double {
            (0..<validation.classCount).reduce(0) { sum, column in
                let error =
                    probabilities[row * validation.classCount + column] - (column == validation.labels[row] ? 1 : 0)
                return sum + error * error
            }
        }
        // The standard error as it is: the limit is on the plain z.
        var (rise, first) = (ClusterMean(groupCount: validation.groupNames.count), 0.0)
        for row in inputs.sealedRows {
            let old = score(before, row)
            first += old
            rise.add(score(after, row) - old, group: validation.groups[row])
        }
        let error = rise.standardError ?? 0
        let old = first / Double(inputs.sealedRows.count)
        return SealedEvidence.Guardrail(
            kind: .brierScore, before: old, after: old + rise.mean, standardError: error,
            passed: error == 0 || rise.mean / error < limits.brierZ)
    }

    private func calibration() -> SealedEvidence.Guardrail {
        let (old, new) = (calibrationError(before, champion), calibrationError(after, found))
        return SealedEvidence.Guardrail(
            kind: .calibration, before: old, after: new,
            passed: !(new > old + limits.calibrationIncrease && new > limits.calibrationLimit))
    }

    /// Expected calibration error of the most probable class, over bins of equal mass (the first ones take the rest).
    private func calibrationError(_ probabilities: [Double], _ fit: Coalitions.Fit) -> Double {
        let (validation, rows) = (inputs.validation, inputs.sealedRows)
        let confidence = rows.map { row in
            probabilities[row * validation.classCount + Int(fit.fitted.predictedClasses[row])]
        }
        let order = confidence.indices.sorted { (confidence[$0], $0) < (confidence[$1], $1) }
        var (first, error) = (0, 0.0)
        for bin in 0..<Self.calibrationBins {
            let size = rows.count / Self.calibrationBins + (bin < rows.count % Self.calibrationBins ? 1 : 0)
            guard size > 0 else { continue }
            var (sum, correct) = (0.0, 0)
            for index in order[first..<first + size] {
                sum += confidence[index]
                if Int(fit.fitted.predictedClasses[rows[index]]) == validation.labels[rows[index]] { correct += 1 }
            }
            error += abs(sum - Double(correct)) / Double(rows.count)
            first += size
        }
        return error
    }

    private func macroF1() -> SealedEvidence.Guardrail {
        let old = ClassificationMetrics(champion.fitted, rows: inputs.sealedRows, validation: inputs.validation).macroF1
        let new = ClassificationMetrics(found.fitted, rows: inputs.sealedRows, validation: inputs.validation).macroF1
        return SealedEvidence.Guardrail(
            kind: .macroF1, before: old, after: new, passed: new >= old - limits.macroF1Drop)
    }

    private func populationStability() -> SealedEvidence.Guardrail {
        let index = zip(shares(champion), shares(found)).reduce(0) { sum, share in
            sum + (share.0 - share.1) * log(share.0 / share.1)
        }
        return SealedEvidence.Guardrail(
            kind: .populationStability, before: nil, after: index, passed: index < limits.populationStability)
    }

    /// Shares of the predicted classes, clipped.
    private func shares(_ fit: Coalitions.Fit) -> [Double] {
        var counts = [Int](repeating: 0, count: inputs.validation.classCount)
        for row in inputs.sealedRows { counts[Int(fit.fitted.predictedClasses[row])] += 1 }
        return counts.map { max(Double($0) / Double(inputs.sealedRows.count), Self.smallestShare) }
    }
}

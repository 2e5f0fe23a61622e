import Dispatch
public import EnsembleModel
import Forest
import Synchronization

/// Trains combiners over coalitions of models by cross-fitting: one for each fold, on the rows of all other folds.
///
/// A model's columns are cut into bins once for each fold; a coalition's data set is then put together from them. The
/// result is the same, bit for bit, as cutting all of its columns anew. Not `Sendable`: a cross-fitter is used by one
/// thread at a time.
///
/// Memory: 8 bytes a value for the columns of each model added and one byte a value and training fold for its bins;
/// while a model is added, or a coalition is predicted, another 8 bytes a value of these rows; while a combiner is
/// trained, two bytes a value of its coalition (LightGBM's copies) and about 32 bytes a row and class.
public final class CrossFitter {
    /// Hyper-parameters of every fit.
    public let parameters: BoostingParameters
    /// Number of validation rows, N.
    public let rowCount: Int
    /// Number of classes, K.
    public let classCount: Int
    /// Folds fitted at the same time, each on one thread of its own; the results do not depend on it.
    public var concurrentFits = 1
    /// Number of folds.
    public var foldCount: Int { heldOutRows.count }

    private struct Columns {
        let values: [Double]
        let names: [String]
        let folds: [TrainingData]
    }

    private let library: LightGBM
    private let labels: [Float]
    private let trainingRows: [[Int]]
    private let heldOutRows: [[Int]]
    private let parameterText: String
    private var columns: [ModelVersionID: Columns] = [:]

    /// Creates a cross-fitter without models.
    ///
    /// - Parameters:
    ///   - library: LightGBM.
    ///   - labels: class index of each of the N rows.
    ///   - folds: fold of each row, `0..<foldCount`.
    ///   - foldCount: number of folds.
    ///   - classCount: number of classes, K.
    ///   - parameters: hyper-parameters of every fit.
    /// - Throws: ``BoostingError`` with code `invalidInput` when these do not fit together.
    public init(
        library: LightGBM, labels: [Int], folds: [Int], foldCount: Int, classCount: Int, parameters: BoostingParameters
    ) throws(BoostingError) {
        guard labels.count == folds.count, (1...Int(Int32.max)).contains(labels.count) else {
            throw BoostingError(
                .invalidInput, "\(labels.count) labels and \(folds.count) folds are not one of each for every row")
        }
        guard classCount >= 2, foldCount >= 2 else {
            throw BoostingError(
                .invalidInput, "cross-fitting needs two or more classes and folds, not \(classCount) and \(foldCount)")
        }
        guard labels.allSatisfy((0..<classCount).contains), folds.allSatisfy((0..<foldCount).contains) else {
            throw BoostingError(
                .invalidInput, "a label is not one of \(classCount) classes, or a fold not one of \(foldCount)")
        }
        heldOutRows = (0..<foldCount).map { fold in folds.indices.filter { folds[$0] == fold } }
        trainingRows = (0..<foldCount).map { fold in folds.indices.filter { folds[$0] != fold } }
        if let fold = trainingRows.firstIndex(where: \.isEmpty) {
            throw BoostingError(
                .invalidInput, "all rows are in fold \(fold), so nothing is left to train on; give more groups")
        }
        self.library = library
        self.labels = labels.map(Float.init)
        self.classCount = classCount
        self.parameters = parameters
        rowCount = labels.count
        parameterText = parameters.text(classCount: classCount)
    }

    /// Adds a model with its predictions as columns.
    ///
    /// - Throws: ``BoostingError`` as ``add(_:columns:)`` does.
    public func add(_ model: ModelVersionID, predictions: Predictions) throws(BoostingError) {
        try add(model, columns: predictions.values.map(Double.init))
    }

    /// Adds a model; one that is there already is replaced.
    ///
    /// - Parameters:
    ///   - model: the model version.
    ///   - values: N x W values, row by row; a missing value is NaN.
    /// - Throws: ``BoostingError`` with code `invalidInput` when the values are not N rows, `trainingFailed`.
    public func add(_ model: ModelVersionID, columns values: [Double]) throws(BoostingError) {
        guard !values.isEmpty, values.count.isMultiple(of: rowCount) else {
            throw BoostingError(
                .invalidInput, "\(model) has \(values.count) values, which are not \(rowCount) rows of columns")
        }
        let names = (0..<values.count / rowCount).map { "\(model)/\($0)" }
        var folds: [TrainingData] = []
        for rows in trainingRows {
            let training = Self.gather([Columns(values: values, names: names, folds: [])], rows: rows)
            folds.append(try data(training, names: names, rows: rows))
        }
        columns[model] = Columns(values: values, names: names, folds: folds)
    }

    /// Forgets a model and gives its memory back.
    public func remove(_ model: ModelVersionID) { columns[model] = nil }

    /// Whether a model has been added.
    public func contains(_ model: ModelVersionID) -> Bool { columns[model] != nil }

    /// Trains the combiner of a coalition on every fold's training rows, and predicts the fold kept out.
    ///
    /// The probabilities are those of ``FoldModel/forest``, not of LightGBM's own prediction (equal to 1e-12): the code
    /// that serves is then the code that the evidence is about.
    ///
    /// - Throws: ``BoostingError`` with code `invalidInput` for no models or one that was not added, `trainingFailed`.
    public func fit(_ models: some Collection<ModelVersionID>) throws(BoostingError) -> CrossFit {
        let coalition = Set(models).sorted()
        let parts = try parts(coalition)
        var probabilities = [Double](repeating: 0, count: rowCount * classCount)
        var foldModels: [FoldModel] = []
        for (fold, fit) in try fitFolds(of: parts).enumerated() {
            for (index, row) in heldOutRows[fold].enumerated() {
                for column in 0..<classCount {
                    probabilities[row * classCount + column] = fit.probabilities[index * classCount + column]
                }
            }
            foldModels.append(fit.model)
        }
        return CrossFit(coalition: coalition, probabilities: probabilities, models: foldModels)
    }

    /// Trains one combiner of a coalition on all rows.
    ///
    /// - Throws: ``BoostingError`` as ``fit(_:)`` does.
    public func fitAll(_ models: some Collection<ModelVersionID>) throws(BoostingError) -> FoldModel {
        try train(on: data(of: parts(Set(models).sorted()), rows: Array(0..<rowCount)))
    }

    /// Trains the combiners of a coalition from values cut into bins anew: what ``fit(_:)`` must equal.
    func rebuild(_ models: some Collection<ModelVersionID>) throws(BoostingError) -> [FoldModel] {
        let parts = try parts(Set(models).sorted())
        var foldModels: [FoldModel] = []
        for rows in trainingRows { foldModels.append(try train(on: data(of: parts, rows: rows))) }
        return foldModels
    }

    /// What one fold gives: its combiner, and the probabilities of the rows kept out.
    private struct FoldFit {
        let model: FoldModel
        let probabilities: [Double]
    }

    /// Fits all folds, ``concurrentFits`` at a time; each is a computation of its own, so the number changes no bit.
    private func fitFolds(of parts: [Columns]) throws(BoostingError) -> [FoldFit] {
        // A fold reads this object's constants and works on its own data sets (`folds[fold]` of each part) only.
        nonisolated(unsafe) let (fitter, parts) = (self, parts)
        let results = Mutex([Result<FoldFit, BoostingError>?](repeating: nil, count: foldCount))
        let next = Mutex(0)
        DispatchQueue.concurrentPerform(iterations: min(concurrentFits, foldCount)) { _ in
            while true {
                let fold = next.withLock { next in
                    defer { next += 1 }
                    return next
                }
                guard fold < fitter.foldCount else { return }
                let result = Result { () throws(BoostingError) in try fitter.fitFold(fold, of: parts) }
                results.withLock { $0[fold] = result }
            }
        }
        var fits: [FoldFit] = []
        for result in results.withLock({ $0 }) {
            if let fit = try result?.get() { fits.append(fit) }
        }
        return fits
    }

    private func fitFold(_ fold: Int, of parts: [Columns]) throws(BoostingError) -> FoldFit {
        let model = try train(on: data(of: parts, fold: fold))
        return FoldFit(
            model: model, probabilities: model.forest.probabilities(rows: Self.gather(parts, rows: heldOutRows[fold])))
    }

    private func train(on data: TrainingData) throws(BoostingError) -> FoldModel {
        let text = try Booster(trainingOn: data, rounds: parameters.rounds, parameters: parameterText).text()
        do {
            return try FoldModel(text: text)
        } catch {
            throw BoostingError(.invalidModel, "the trained combiner is not usable", cause: error)
        }
    }

    private func parts(_ coalition: [ModelVersionID]) throws(BoostingError) -> [Columns] {
        guard !coalition.isEmpty else { throw BoostingError(.invalidInput, "a coalition needs at least one model") }
        var parts: [Columns] = []
        for model in coalition {
            guard let part = columns[model] else {
                throw BoostingError(.invalidInput, "\(model) was not added to the cross-fitter")
            }
            parts.append(part)
        }
        return parts
    }

    private func data(of parts: [Columns], fold: Int) throws(BoostingError) -> TrainingData {
        if let joined = try TrainingData.joining(parts.map { $0.folds[fold] }) { return joined }
        // A first part of constant columns cannot be grown; then everything is cut into bins together, with the same
        // result.
        return try data(of: parts, rows: trainingRows[fold])
    }

    private func data(of parts: [Columns], rows: [Int]) throws(BoostingError) -> TrainingData {
        try data(Self.gather(parts, rows: rows), names: parts.flatMap(\.names), rows: rows)
    }

    private func data(_ values: [Double], names: [String], rows: [Int]) throws(BoostingError) -> TrainingData {
        try TrainingData(
            library: library, values: values, names: names, labels: rows.map { labels[$0] }, parameters: parameterText)
    }

    /// The values of some rows, row by row, the parts' columns side by side.
    private static func gather(_ parts: [Columns], rows: [Int]) -> [Double] {
        let width = parts.reduce(0) { $0 + $1.names.count }
        return [Double](unsafeUninitializedCapacity: rows.count * width) { output, initialized in
            var first = 0
            for part in parts {
                let count = part.names.count
                part.values.withUnsafeBufferPointer { values in
                    for (index, row) in rows.enumerated() {
                        for column in 0..<count {
                            output.initializeElement(
                                at: index * width + first + column, to: values[row * count + column])
                        }
                    }
                }
                first += count
            }
            initialized = rows.count * width
        }
    }
}

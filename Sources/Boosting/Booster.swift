import CLightGBM

/// A LightGBM model being trained, or loaded for predicting; used by one thread at a time.
final class Booster {
    private let library: LightGBM
    private let handle: UnsafeMutableRawPointer
    /// What it was trained on: the library keeps a pointer to it.
    private let data: TrainingData?

    /// Trains on a data set.
    init(trainingOn data: TrainingData, rounds: Int, parameters: String) throws(BoostingError) {
        let functions = data.library.functions
        handle = try data.library.handle("creating a booster") { handle in
            functions.booster_create(data.handle, parameters, &handle)
        }
        library = data.library
        self.data = data
        for _ in 0..<rounds {
            var isFinished: Int32 = 0
            try library.check("boosting", functions.booster_update_one_iter(handle, &isFinished))
            if isFinished != 0 { break }
        }
    }

    /// Loads a text model.
    init(library: LightGBM, text: [UInt8]) throws(BoostingError) {
        let characters = text.map { CChar(bitPattern: $0) } + [0]
        var rounds: Int32 = 0
        handle = try library.handle("loading a text model") { handle in
            library.functions.booster_load_model_from_string(characters, &rounds, &handle)
        }
        self.library = library
        data = nil
    }

    deinit { _ = library.functions.booster_free(handle) }

    /// The text model.
    func text() throws(BoostingError) -> [UInt8] {
        var buffer = [CChar](repeating: 0, count: 1 << 20)
        var length = try write(to: &buffer)
        if length > buffer.count {
            buffer = [CChar](repeating: 0, count: length)
            length = try write(to: &buffer)
        }
        // The length counts the terminating zero.
        return buffer.prefix(max(length - 1, 0)).map { UInt8(bitPattern: $0) }
    }

    private func write(to buffer: inout [CChar]) throws(BoostingError) -> Int {
        var length: Int64 = 0
        let status = library.functions.booster_save_model_to_string(
            handle, 0, -1, 0, Int64(buffer.count), &length, &buffer)
        try library.check("writing a text model", status)
        return Int(length)
    }

    /// Raw scores or probabilities, N x K, of N rows of as many values as the model has columns.
    func predict(rows: [Double], raw: Bool) throws(BoostingError) -> [Double] {
        var (columnCount, classCount): (Int32, Int32) = (0, 0)
        try library.check("counting columns", library.functions.booster_get_num_feature(handle, &columnCount))
        try library.check("counting classes", library.functions.booster_get_num_classes(handle, &classCount))
        guard columnCount > 0, classCount > 0, rows.count.isMultiple(of: Int(columnCount)) else {
            throw BoostingError(.invalidInput, "\(rows.count) values are not whole rows of \(columnCount) columns")
        }
        let rowCount = rows.count / Int(columnCount)
        var predictions = [Double](repeating: 0, count: rowCount * Int(classCount))
        var length: Int64 = 0
        let status = library.functions.booster_predict_for_mat(
            handle, rows, Int32(CLGBM_FLOAT64), Int32(rowCount), columnCount, 1,
            Int32(raw ? CLGBM_PREDICT_RAW_SCORE : CLGBM_PREDICT_PROBABILITY), 0, -1, "num_threads=1", &length,
            &predictions)
        try library.check("predicting", status)
        return predictions
    }
}

extension LightGBM {
    /// What LightGBM itself computes with a text model; the registry scores with `Forest`, this is what that is checked
    /// against.
    ///
    /// - Parameters:
    ///   - text: a text model of F columns and K classes.
    ///   - rows: N x F values, row by row.
    ///   - raw: raw scores instead of probabilities.
    /// - Returns: N x K values, row by row.
    /// - Throws: ``BoostingError`` when the text cannot be loaded or does not fit the rows.
    public func predict(text: [UInt8], rows: [Double], raw: Bool) throws(BoostingError) -> [Double] {
        try Booster(library: self, text: text).predict(rows: rows, raw: raw)
    }
}

import CLightGBM

/// A labelled LightGBM data set: columns cut into bins.
///
/// A small class because it owns a handle; used by one thread at a time.
final class TrainingData {
    let library: LightGBM
    let handle: UnsafeMutableRawPointer
    let rowCount: Int
    let columnCount: Int
    private let parameters: String

    /// Bins columns.
    ///
    /// - Parameters:
    ///   - values: N x F values, row by row.
    ///   - names: names of the F columns.
    ///   - labels: class index of each of the N rows.
    init(
        library: LightGBM, values: [Double], names: [String], labels: [Float], parameters: String
    ) throws(BoostingError) {
        let functions = library.functions
        handle = try library.handle("cutting columns into bins") { handle in
            functions.dataset_create_from_mat(
                values, Int32(CLGBM_FLOAT64), Int32(labels.count), Int32(names.count), 1, parameters, nil, &handle)
        }
        self.library = library
        self.parameters = parameters
        rowCount = labels.count
        columnCount = names.count
        try library.check(
            "setting labels",
            functions.dataset_set_field(handle, "label", labels, Int32(labels.count), Int32(CLGBM_FLOAT32)))
        try library.check("naming columns", Self.setNames(names, of: handle, functions))
    }

    private init(copying other: TrainingData) throws(BoostingError) {
        let rows = Array(0..<Int32(other.rowCount))
        handle = try other.library.handle("copying a data set") { handle in
            other.library.functions.dataset_get_subset(other.handle, rows, Int32(rows.count), other.parameters, &handle)
        }
        library = other.library
        parameters = other.parameters
        rowCount = other.rowCount
        columnCount = other.columnCount
    }

    deinit { _ = library.functions.dataset_free(handle) }

    /// One data set with the columns of several, in order; bins are taken over, the parts stay as they are.
    ///
    /// - Returns: nil where the first part has no column that varies: LightGBM cannot add columns to an empty set.
    static func joining(_ parts: [TrainingData]) throws(BoostingError) -> TrainingData? {
        guard let first = parts.first, try first.hasVaryingColumn() else { return nil }
        // Adding columns changes the set they are added to, and the only copy that the C API offers is a subset of all
        // rows.
        let joined = try TrainingData(copying: first)
        for part in parts.dropFirst() {
            try joined.library.check(
                "adding columns", joined.library.functions.dataset_add_features_from(joined.handle, part.handle))
        }
        return joined
    }

    private func hasVaryingColumn() throws(BoostingError) -> Bool {
        for column in 0..<columnCount {
            var bins: Int32 = 0
            try library.check(
                "counting bins", library.functions.dataset_get_feature_num_bin(handle, Int32(column), &bins))
            if bins > 0 { return true }
        }
        return false
    }

    private static func setNames(
        _ names: [String], of handle: UnsafeMutableRawPointer, _ functions: clgbm_functions
    ) -> Int32 {
        let bytes = names.flatMap { $0.utf8CString }
        return bytes.withUnsafeBufferPointer { bytes in
            var offset = 0
            var pointers = names.map { name in
                defer { offset += name.utf8.count + 1 }
                return bytes.baseAddress.map { $0 + offset }
            }
            return functions.dataset_set_feature_names(handle, &pointers, Int32(names.count))
        }
    }
}

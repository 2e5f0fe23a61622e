/// Why an upload was refused, with every kind of fault found in it.
public struct IngestError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Stable, machine-readable kinds of this error.
    public enum Code: String, Hashable, Sendable {
        /// The content is at fault: see ``IngestError/faults``.
        case refused
        /// The content is larger than the limits allow.
        case tooLarge = "too_large"
        /// The temporary file could not be made, written or read: the fault is this machine's, not the upload's.
        case spool
    }

    /// The kind of error, for callers that branch.
    public let code: Code
    /// What is wrong and what to do, in one sentence.
    public let message: String
    /// The kinds of faults found, in the order of ``IngestFault/Code``; empty for `spool`.
    public let faults: [IngestFault]

    init(_ code: Code, _ message: String, faults: [IngestFault] = []) {
        self.code = code
        self.message = message
        self.faults = faults
    }

    public var description: String { "\(code.rawValue): \(message)" }
}

/// One kind of fault found in an upload.
public struct IngestFault: Hashable, Sendable {
    /// Stable, machine-readable kinds of faults: those that end the check, those of rows, those of the whole.
    public enum Code: String, Hashable, Sendable, CaseIterable {
        case tooLarge = "too_large"
        case tooManyRows = "too_many_rows"
        case compressionRatio = "compression_ratio"
        case notGzip = "not_gzip"
        case corruptGzip = "corrupt_gzip"
        case gzipChecksum = "gzip_checksum"
        case truncatedGzip = "truncated_gzip"
        case trailingGarbage = "trailing_garbage"
        case emptyFile = "empty_file"
        case notCSV = "not_csv"
        case missingColumn = "missing_column"
        case unknownColumn = "unknown_column"
        case duplicateColumn = "duplicate_column"
        case columnOrder = "column_order"
        case notNPY = "not_npy"
        case npyType = "npy_type"
        case npyOrder = "npy_order"
        case npyShape = "npy_shape"
        case truncatedNPY = "truncated_npy"
        case lineTooLong = "line_too_long"
        case quoting
        case columnCount = "column_count"
        case emptyID = "empty_id"
        case invalidUTF8 = "invalid_utf8"
        case invalidText = "invalid_text"
        case unknownID = "unknown_id"
        case duplicateID = "duplicate_id"
        case unknownClass = "unknown_class"
        case notANumber = "not_a_number"
        case notFinite = "not_finite"
        case negative
        case sum
        case noRows = "no_rows"
        case coverage
        case sliceCoverage = "slice_coverage"
    }

    /// One offending row.
    public struct Example: Hashable, Sendable {
        /// Line of the decompressed upload, 1 = first; nil where the format has none.
        public let line: Int?
        /// Row id, where it could be read: at most 100 characters, control characters replaced.
        public let id: String?

        init(line: Int?, id: String?) {
            self.line = line
            self.id = id
        }
    }

    /// The kind of fault.
    public let code: Code
    /// What is wrong and what to do, in one sentence.
    public let message: String
    /// How many rows (or columns, for faults of the header) have this fault.
    public internal(set) var count: Int
    /// The first offending rows, at most ``maximumExamples``.
    public internal(set) var examples: [Example]

    init(_ code: Code, _ message: String, count: Int = 1, examples: [Example] = []) {
        self.code = code
        self.message = message
        self.count = count
        self.examples = examples
    }

    /// The most examples kept of one kind.
    public static let maximumExamples = 20
}

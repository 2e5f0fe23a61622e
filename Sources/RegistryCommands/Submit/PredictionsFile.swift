import ArgumentParser
import EnsembleModel
import RegistryAPI
import RegistryClient

/// How predictions are written.
enum PredictionsFormat: String, CaseIterable, ExpressibleByArgument, Sendable {
    case csv
    case gzippedCSV = "csv.gz"
    case npy
    case gzippedNpy = "npy.gz"

    var isNumpy: Bool { self == .npy || self == .gzippedNpy }
    var isGzipped: Bool { self == .gzippedCSV || self == .gzippedNpy }
    var contentType: String { isNumpy ? "application/vnd.numpy" : "text/csv" }

    /// The format that a file's name ends with.
    init?(suffixOf path: String) {
        let name = path.lowercased()
        guard let format = Self.allCases.first(where: { name.hasSuffix(".\($0.rawValue)") }) else { return nil }
        self = format
    }

    /// The format given, that of the name, or CSV for standard input.
    static func of(_ path: String, given: PredictionsFormat?) throws -> PredictionsFormat {
        if let format = given ?? PredictionsFormat(suffixOf: path) ?? (path == "-" ? .csv : nil) { return format }
        let known = allCases.map(\.rawValue).joined(separator: ", ")
        throw CommandError(.usage, "the format of \(path) is not in its name: give it with --format (\(known))")
    }
}

/// A local table on its way to the registry.
struct TableFile {
    let content: ChunkSequence
    let contentType: String
    let contentEncoding: String?
    /// The lines of the ids file for lines as they are sent; nil where these are the table's own.
    private let idLines: (@Sendable (_ sent: Set<Int>) throws -> [Int: Int])?

    /// A file that is sent as it is.
    init(_ file: LocalFile, contentType: String, isGzipped: Bool) {
        content = ChunkSequence { FileReader(file) }
        self.contentType = contentType
        contentEncoding = isGzipped ? "gzip" : nil
        idLines = nil
    }

    /// A NumPy file that is sent as CSV, with row ids from another file.
    init(numpy file: LocalFile, isGzipped: Bool, ids: LocalFile, idsPath: String, classes: [String]) {
        let name = idsPath.lowercased()
        let rowIDs = { @Sendable () throws -> RowIDs in
            let bytes: any ChunkReader =
                name.hasSuffix(".gz") ? try Gunzip(FileReader(ids), name: ids.path) : FileReader(ids)
            let isCSV = name.hasSuffix(".csv") || name.hasSuffix(".csv.gz")
            return try RowIDs(bytes, name: ids.path, isCSV: isCSV)
        }
        content = ChunkSequence {
            try NumpyCSV(
                values: isGzipped ? Gunzip(FileReader(file), name: file.path) : FileReader(file), ids: rowIDs(),
                classes: classes, names: (file.path, ids.path))
        }
        idLines = { try NumpyCSV.lines(of: rowIDs(), forSent: $0) }
        contentType = "text/csv"
        contentEncoding = nil
    }

    /// An error about this table that names lines as its owner knows them: the CSV made of a NumPy table has one more,
    /// its header, than a list of ids.
    func naming(_ error: RegistryClientError) -> RegistryClientError {
        guard let idLines, var problem = error.problem, let faults = problem.faults else { return error }
        let sent = Set(faults.flatMap(\.examples).compactMap(\.line))
        // Of ids that cannot be read any more no lines are named; the refusal itself must still be told.
        let lines = (try? idLines(sent)) ?? [:]
        problem.faults = faults.map { fault in
            var fault = fault
            fault.examples = fault.examples.map { .init(line: $0.line.flatMap { lines[$0] }, id: $0.id) }
            return fault
        }
        return RegistryClientError(.problem(problem), error.message, cause: error.cause)
    }

    /// Reads the table once for its length and digest, and prepares it to be sent.
    func upload(_ progress: ProgressLine) throws -> (upload: Upload, length: Int64, digest: ContentDigest) {
        progress.doing("reading")
        let (length, digest) = try content.measure()
        let upload = Upload(
            content, contentType: contentType, contentEncoding: contentEncoding, contentLength: length, digest: digest)
        return (upload, length, digest)
    }
}

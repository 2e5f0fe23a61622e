import ArgumentParser
import EnsembleModel
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

    /// A file that is sent as it is.
    init(_ file: LocalFile, contentType: String, isGzipped: Bool) {
        content = ChunkSequence { FileReader(file) }
        self.contentType = contentType
        contentEncoding = isGzipped ? "gzip" : nil
    }

    /// A NumPy file that is sent as CSV, with row ids from another file.
    init(numpy file: LocalFile, isGzipped: Bool, ids: LocalFile, idsPath: String, classes: [String]) {
        let name = idsPath.lowercased()
        content = ChunkSequence {
            let idBytes: any ChunkReader =
                name.hasSuffix(".gz") ? try Gunzip(FileReader(ids), name: ids.path) : FileReader(ids)
            let isCSV = name.hasSuffix(".csv") || name.hasSuffix(".csv.gz")
            return try NumpyCSV(
                values: isGzipped ? Gunzip(FileReader(file), name: file.path) : FileReader(file),
                ids: RowIDs(idBytes, name: ids.path, isCSV: isCSV), classes: classes, names: (file.path, ids.path))
        }
        contentType = "text/csv"
        contentEncoding = nil
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

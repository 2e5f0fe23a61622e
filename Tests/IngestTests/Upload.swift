import CZlib
import EnsembleModel
import Foundation
import Ingest

/// What a test uploads, and how.
struct Upload {
    var bytes: [UInt8]
    var format = UploadFormat.csv
    var gzip = false
    var limits = IngestLimits()
    /// Bytes of each piece that is pushed; nil for all at once.
    var pieceBytes: Int?

    init(_ text: String) { bytes = Array(text.utf8) }
    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// The outcome of the check for a validation set.
    func predictions(for validation: ValidationSet) -> Result<Predictions, IngestError> {
        Result { () throws(IngestError) in
            let ingest = try PredictionIngest(
                format: format, gzip: gzip, validation: ValidationIndex(validation),
                spoolDirectory: FileManager.default.temporaryDirectory.path, limits: limits)
            try push { (piece) throws(IngestError) in try ingest.consume(piece) }
            return try ingest.finish().predictions()
        }
    }

    /// The outcome of the check as labels.
    func labels(classes: [String]) -> Result<ValidationSet, IngestError> {
        Result { () throws(IngestError) in
            let ingest = try LabelIngest(classes: classes, gzip: gzip, limits: limits)
            try push { (piece) throws(IngestError) in try ingest.consume(piece) }
            return try ingest.finish()
        }
    }

    private func push(_ consume: (UnsafeRawBufferPointer) throws(IngestError) -> Void) throws(IngestError) {
        for start in stride(from: 0, to: bytes.count, by: pieceBytes ?? max(1, bytes.count)) {
            // A copy, so that a check which keeps a pointer to an earlier piece is caught.
            let piece = Array(bytes[start..<min(bytes.count, start + (pieceBytes ?? bytes.count))])
            try piece.withUnsafeBufferPointer { (piece) throws(IngestError) in
                try consume(UnsafeRawBufferPointer(piece))
            }
        }
    }
}

extension SpooledPredictions {
    /// All blocks, read back.
    func predictions() throws(IngestError) -> Predictions {
        var values: [Float] = []
        for index in 0..<blockCount {
            let bytes = try block(index)
            values += stride(from: 0, to: bytes.count, by: 4).map { start in
                Float(bitPattern: (0..<4).reduce(0) { $0 | UInt32(bytes[start + $1]) << (8 * UInt32($1)) })
            }
        }
        do {
            let predictions = try Predictions(values: values, classCount: classCount)
            guard predictions.digest == digest, predictions.rowCount == rowCount else { throw UnequalDigest() }
            return predictions
        } catch {
            preconditionFailure("the blocks are not what the digest is of: \(error)")
        }
    }
}

struct UnequalDigest: Error {}

extension Result where Failure == IngestError {
    /// The kinds of faults.
    var codes: [IngestFault.Code] {
        if case .failure(let error) = self { error.faults.map(\.code) } else { [] }
    }

    /// The fault of a kind.
    func fault(_ code: IngestFault.Code) -> IngestFault? {
        if case .failure(let error) = self { error.faults.first { $0.code == code } } else { nil }
    }
}

extension [UInt8] {
    /// These bytes as one gzip member.
    func gzipped() -> [UInt8] {
        var stream = z_stream()
        deflateInit2_(
            &stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
            Int32(MemoryLayout<z_stream>.size))
        defer { deflateEnd(&stream) }
        var input = self
        var output = [UInt8](repeating: 0, count: Int(deflateBound(&stream, UInt(count))))
        input.withUnsafeMutableBufferPointer { input in
            output.withUnsafeMutableBufferPointer { output in
                stream.next_in = input.baseAddress
                stream.avail_in = UInt32(input.count)
                stream.next_out = output.baseAddress
                stream.avail_out = UInt32(output.count)
                _ = deflate(&stream, Z_FINISH)
            }
        }
        return Array(output.prefix(Int(stream.total_out)))
    }
}

/// A random generator with a seed (SplitMix64), so that a failure can be met again.
struct SeededGenerator: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}

/// Four rows of two slices and three classes, and a good file for them.
enum Small {
    static let classes = ["cat", "dog", "a,b"]
    static let header = #"id,cat,dog,"a,b""#
    static let lines = [header, "r1,.2,.3,.5", "r2,1,0,0", "r3,0.1,0.1,8e-1", "r4,0.25,0.25,.5"]
    static let text = lines.joined(separator: "\n") + "\n"
    static let values: [Float] = [0.2, 0.3, 0.5, 1, 0, 0, 0.1, 0.1, 0.8, 0.25, 0.25, 0.5]

    static func validation() throws -> ValidationSet {
        try ValidationSet(
            classes: classes,
            rows: [
                .init(id: "r1", label: 0, slice: "x"), .init(id: "r2", label: 0, slice: "x"),
                .init(id: "r3", label: 2, slice: "y"), .init(id: "r4", label: 1, slice: "y"),
            ])
    }

    /// The file with one line replaced or added.
    static func text(line: Int, _ replacement: String) -> String {
        var lines = lines
        if line < lines.count { lines[line] = replacement } else { lines.append(replacement) }
        return lines.joined(separator: "\n") + "\n"
    }
}

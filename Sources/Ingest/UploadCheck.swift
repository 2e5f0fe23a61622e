/// What an upload contains, after decompression: takes it piece by piece, collects its faults.
protocol UploadContent: AnyObject {
    /// Faults that did not end the check.
    var faults: FaultLog { get }
    /// Checks the next piece.
    func consume(_ bytes: UnsafeRawBufferPointer) throws(IngestStop)
    /// Checks what can only be known at the end.
    func finish() throws(IngestStop)
}

/// Takes an upload as it is sent: counts, decompresses, holds the limits and hands on the content.
final class UploadCheck {
    private let content: any UploadContent
    private let limits: IngestLimits
    private let inflater: Inflater?
    private var received = 0
    private var decoded = 0
    private var failure: IngestError?

    init(_ content: any UploadContent, gzip: Bool, limits: IngestLimits) throws(IngestStop) {
        self.content = content
        self.limits = limits
        inflater = gzip ? try Inflater() : nil
    }

    /// Checks the next piece of the upload.
    func consume(_ bytes: UnsafeRawBufferPointer) throws(IngestError) {
        try guarding { () throws(IngestStop) in try decode(bytes) }
    }

    /// Checks the end; throws unless the whole upload is without fault.
    func finish() throws(IngestError) {
        try guarding { () throws(IngestStop) in
            try inflater?.finish()
            guard decoded > 0 else {
                throw .fault(.emptyFile, "the upload is empty; send a file with a header and rows")
            }
            try content.finish()
        }
        guard content.faults.isEmpty else { throw content.faults.error() }
    }

    private func decode(_ bytes: UnsafeRawBufferPointer) throws(IngestStop) {
        received += bytes.count
        guard received <= limits.maximumBytes else {
            throw .fault(.tooLarge, "the upload is larger than \(limits.maximumBytes) bytes; compress it")
        }
        if let inflater {
            try inflater.push(bytes) { (piece) throws(IngestStop) in try pass(piece) }
        } else {
            try pass(bytes)
        }
    }

    private func pass(_ piece: UnsafeRawBufferPointer) throws(IngestStop) {
        decoded += piece.count
        guard decoded <= limits.maximumDecompressedBytes else {
            throw .fault(.tooLarge, "the upload decompresses to more than \(limits.maximumDecompressedBytes) bytes")
        }
        guard decoded <= limits.ratioAllowance || decoded / received <= limits.maximumRatio else {
            throw .fault(
                .compressionRatio,
                "the upload decompresses to more than \(limits.maximumRatio) times its size; send it uncompressed")
        }
        try content.consume(piece)
    }

    /// Remembers the first failure, so that whatever is sent after it meets it again.
    private func guarding(_ body: () throws(IngestStop) -> Void) throws(IngestError) {
        if let failure { throw failure }
        do throws(IngestStop) {
            try body()
        } catch {
            let error = content.faults.error(endedBy: error)
            failure = error
            throw error
        }
    }
}

import CZlib

/// Decompresses a gzip stream of one or more members, pushed piece by piece.
final class Inflater {
    private static let outputBytes = 128 << 10

    private let stream: UnsafeMutablePointer<z_stream>
    private let output: UnsafeMutableRawBufferPointer
    private var members = 0
    /// Whether the next byte begins a member.
    private var isBetweenMembers = true

    init() throws(IngestStop) {
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        output = .allocate(byteCount: Self.outputBytes, alignment: 16)
        let gzipOnly = 16 + MAX_WBITS
        guard inflateInit2_(stream, gzipOnly, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            throw .spool("zlib could not be started; the machine may be out of memory")
        }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
        output.deallocate()
    }

    /// Decompresses bytes and passes on what they give, at most 128 KiB at a time.
    func push(
        _ bytes: UnsafeRawBufferPointer, to sink: (UnsafeRawBufferPointer) throws(IngestStop) -> Void
    ) throws(IngestStop) {
        // zlib counts in 32 bits.
        for start in stride(from: 0, to: bytes.count, by: 1 << 30) {
            let piece = bytes[start..<min(start + 1 << 30, bytes.count)]
            // zlib does not write through next_in.
            stream.pointee.next_in = UnsafeMutablePointer(
                mutating: UnsafeRawBufferPointer(rebasing: piece).bindMemory(to: UInt8.self).baseAddress)
            stream.pointee.avail_in = UInt32(piece.count)
            while try inflateOnce(to: sink) {}
        }
    }

    /// Checks that the stream may end here.
    func finish() throws(IngestStop) {
        guard isBetweenMembers else {
            throw .fault(.truncatedGzip, "the gzip stream ends before its end; send the whole file")
        }
    }

    /// Fills the output once; false when the input is used up.
    private func inflateOnce(
        to sink: (UnsafeRawBufferPointer) throws(IngestStop) -> Void
    ) throws(IngestStop) -> Bool {
        if isBetweenMembers {
            guard stream.pointee.avail_in > 0 else { return false }
            guard stream.pointee.next_in.pointee == 0x1F else { throw headerFault }
            isBetweenMembers = false
        }
        stream.pointee.next_out = output.baseAddress?.assumingMemoryBound(to: UInt8.self)
        stream.pointee.avail_out = UInt32(output.count)
        let status = inflate(stream, Z_NO_FLUSH)
        let produced = output.count - Int(stream.pointee.avail_out)
        if produced > 0 { try sink(UnsafeRawBufferPointer(rebasing: output[..<produced])) }
        switch status {
        case Z_STREAM_END:
            members += 1
            isBetweenMembers = true
            inflateReset(stream)
            return true
        case Z_OK:
            return stream.pointee.avail_in > 0 || stream.pointee.avail_out == 0
        case Z_BUF_ERROR:
            return false  // no progress without more input
        default:
            throw dataFault
        }
    }

    private var headerFault: IngestStop {
        members == 0
            ? .fault(.notGzip, "the upload is declared as gzip but is not; compress it or do not declare it")
            : .fault(.trailingGarbage, "bytes that are not gzip follow the gzip stream; compress the file again")
    }

    private var dataFault: IngestStop {
        switch stream.pointee.msg.map({ String(cString: $0) }) {
        case "incorrect header check":
            headerFault
        case "incorrect data check", "incorrect length check":
            .fault(.gzipChecksum, "the gzip checksum does not match the content; compress the file again")
        default:
            .fault(.corruptGzip, "the gzip stream is damaged; compress the file again")
        }
    }
}

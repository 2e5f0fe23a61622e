import CZlib
import NIOCore

/// Decompresses gzip (RFC 1952), also of several members.
struct Gunzip: ChunkReader {
    /// zlib keeps a pointer to its stream, which therefore must not move.
    private final class Stream {
        let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
        let isReady: Bool

        init() {
            stream.initialize(to: z_stream())
            let gzipOnly: Int32 = 15 + 16
            isReady = inflateInit2_(stream, gzipOnly, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
        }

        deinit {
            if isReady { inflateEnd(stream) }
            stream.deallocate()
        }
    }

    private let name: String
    private var source: any ChunkReader
    private var input = ByteBuffer()
    private let zlib = Stream()
    private var isInsideMember = false
    private var isFirst = true

    /// - Parameter name: the file's name, for messages.
    init(_ source: any ChunkReader, name: String) throws {
        self.source = source
        self.name = name
        guard zlib.isReady else { throw CommandError(.failed, "zlib could not be started") }
    }

    mutating func next() throws -> ByteBuffer? {
        while true {
            if input.readableBytes == 0 {
                guard let chunk = try source.next() else {
                    guard !isInsideMember, !isFirst else {
                        throw CommandError(.usage, "\(name) ends before its gzip data does")
                    }
                    return nil
                }
                input = chunk
            }
            isFirst = false
            let output = try inflateSome()
            if output.readableBytes > 0 { return output }
        }
    }

    private mutating func inflateSome() throws -> ByteBuffer {
        var output = ByteBufferAllocator().buffer(capacity: FileReader.chunkBytes)
        let stream = zlib.stream
        var code = Z_OK
        let consumed = input.withUnsafeReadableBytes { bytes in
            stream.pointee.next_in = UnsafeMutablePointer(mutating: bytes.bindMemory(to: UInt8.self).baseAddress)
            stream.pointee.avail_in = UInt32(bytes.count)
            output.writeWithUnsafeMutableBytes(minimumWritableBytes: FileReader.chunkBytes) { room in
                stream.pointee.next_out = room.bindMemory(to: UInt8.self).baseAddress
                stream.pointee.avail_out = UInt32(room.count)
                code = inflate(stream, Z_NO_FLUSH)
                return room.count - Int(stream.pointee.avail_out)
            }
            return bytes.count - Int(stream.pointee.avail_in)
        }
        input.moveReaderIndex(forwardBy: consumed)
        switch code {
        case Z_OK, Z_BUF_ERROR: isInsideMember = true
        case Z_STREAM_END:
            isInsideMember = false
            inflateReset(stream)
        default: throw CommandError(.usage, "\(name) is not valid gzip")
        }
        return output
    }
}

import EnsembleModel
import Foundation
import NIOCore

/// Bytes that come piece by piece.
protocol ChunkReader {
    /// The next piece, not empty; nil at the end.
    mutating func next() throws -> ByteBuffer?
}

/// Content that can be read from its beginning any number of times.
struct ChunkSequence: AsyncSequence, Sendable {
    typealias Element = ByteBuffer
    let makeReader: @Sendable () throws -> any ChunkReader

    struct AsyncIterator: AsyncIteratorProtocol {
        var reader: Result<any ChunkReader, any Error>

        mutating func next() async throws -> ByteBuffer? {
            var open = try reader.get()
            defer { reader = .success(open) }
            return try open.next()
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(reader: Result { try makeReader() }) }

    /// Reads everything once, to know its length and digest.
    func measure() throws -> (length: Int64, digest: ContentDigest) {
        var reader = try makeReader()
        var hasher = ContentHasher()
        var length: Int64 = 0
        while let chunk = try reader.next() {
            chunk.withUnsafeReadableBytes { hasher.update($0) }
            length += Int64(chunk.readableBytes)
        }
        return (length, hasher.finish())
    }
}

/// Reads a file from its beginning to the length it had when it was opened.
struct FileReader: ChunkReader {
    static let chunkBytes = 256 << 10
    let file: LocalFile
    private var offset: Int64 = 0

    init(_ file: LocalFile) { self.file = file }

    mutating func next() throws -> ByteBuffer? {
        guard offset < file.size else { return nil }
        guard let chunk = try file.read(at: offset, upTo: Int(min(file.size - offset, Int64(Self.chunkBytes)))) else {
            throw CommandError(.failed, "\(file.path) became shorter while it was read")
        }
        offset += Int64(chunk.readableBytes)
        return chunk
    }
}

/// Fixed numbers of bytes and lines out of pieces.
struct ByteReader {
    private var source: any ChunkReader
    private var buffer = ByteBuffer()

    init(_ source: any ChunkReader) { self.source = source }

    /// Exactly `count` bytes, or nil when fewer are left.
    mutating func bytes(_ count: Int) throws -> ByteBuffer? {
        while buffer.readableBytes < count {
            guard try refill() else { return nil }
        }
        return buffer.readSlice(length: count)
    }

    /// The bytes before the next line feed, which is taken too, or before the end; nil when they are more than `limit`.
    mutating func line(upTo limit: Int) throws -> [UInt8]? {
        var searched = 0
        while true {
            if let end = buffer.readableBytesView.dropFirst(searched).firstIndex(of: UInt8(ascii: "\n")) {
                let line = buffer.readBytes(length: end - buffer.readerIndex)
                buffer.moveReaderIndex(forwardBy: 1)
                return (line?.count ?? 0) <= limit ? line : nil
            }
            searched = buffer.readableBytes
            guard searched <= limit else { return nil }
            guard try refill() else { return buffer.readBytes(length: searched) }
        }
    }

    /// One byte, or nil at the end.
    mutating func byte() throws -> UInt8? {
        if buffer.readableBytes == 0, try !refill() { return nil }
        return buffer.readInteger()
    }

    /// The next byte without taking it.
    mutating func peek() throws -> UInt8? {
        if buffer.readableBytes == 0, try !refill() { return nil }
        return buffer.getInteger(at: buffer.readerIndex)
    }

    private mutating func refill() throws -> Bool {
        guard var chunk = try source.next() else { return false }
        if buffer.readableBytes == 0 {
            buffer = chunk
        } else {
            buffer.discardReadBytes()
            buffer.writeBuffer(&chunk)
        }
        return true
    }
}

import Foundation
import NIOCore

/// An open file that can be read from any place, any number of times.
final class LocalFile: Sendable {
    let path: String
    /// Bytes when it was opened.
    let size: Int64
    private let descriptor: Int32

    /// Opens a file; what has no length of its own (`-` for standard input, pipes) is spooled first.
    ///
    /// - Parameter what: what it is to be, for messages.
    convenience init(path: String, what: String) throws {
        let source = path == "-" ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC)
        guard source >= 0 else { throw CommandError(.usage, "\(what) cannot be read from \(path): \(Self.reason)") }
        var status = stat()
        guard fstat(source, &status) == 0 else {
            close(source)
            throw CommandError(.usage, "\(what) cannot be read from \(path): \(Self.reason)")
        }
        switch status.st_mode & S_IFMT {
        case S_IFREG where path != "-": self.init(path: path, size: Int64(status.st_size), descriptor: source)
        case S_IFDIR:
            close(source)
            throw CommandError(.usage, "\(path) is a folder: give the file with \(what)")
        default:
            defer { close(source) }
            try self.init(spooling: source, from: path == "-" ? "standard input" : path)
        }
    }

    /// Copies a stream to a file that has no name, so that nothing is left behind whatever happens.
    private convenience init(spooling source: Int32, from name: String) throws {
        var template = Array((NSTemporaryDirectory() + "/registry-XXXXXX").utf8CString)
        let descriptor = mkstemp(&template)
        guard descriptor >= 0 else { throw CommandError(.failed, "no temporary file could be made: \(Self.reason)") }
        unlink(template)
        do {
            let size = try Self.copy(from: source, to: descriptor, name: name)
            self.init(path: name, size: size, descriptor: descriptor)
        } catch {
            close(descriptor)
            throw error
        }
    }

    private init(path: String, size: Int64, descriptor: Int32) {
        self.path = path
        self.size = size
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    /// Up to `count` bytes from `offset` on; nil at the end.
    func read(at offset: Int64, upTo count: Int) throws -> ByteBuffer? {
        guard count > 0 else { return nil }
        var buffer = ByteBufferAllocator().buffer(capacity: count)
        let got = try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { bytes in
            while true {
                let got = pread(descriptor, bytes.baseAddress, min(count, bytes.count), off_t(offset))
                if got >= 0 { return got }
                if errno != EINTR { throw CommandError(.failed, "\(path) could not be read: \(Self.reason)") }
            }
        }
        return got > 0 ? buffer : nil
    }

    private static func copy(from source: Int32, to target: Int32, name: String) throws -> Int64 {
        var size: Int64 = 0
        var bytes = [UInt8](repeating: 0, count: FileReader.chunkBytes)
        while true {
            let got = Foundation.read(source, &bytes, bytes.count)
            if got == 0 { return size }
            guard got > 0 else {
                if errno == EINTR { continue }
                throw CommandError(.failed, "\(name) could not be read: \(reason)")
            }
            var written = 0
            while written < got {
                let count = bytes[written..<got].withUnsafeBytes { Foundation.write(target, $0.baseAddress, $0.count) }
                if count >= 0 {
                    written += count
                } else if errno != EINTR {
                    throw CommandError(.failed, "\(name) could not be copied to a temporary file: \(reason)")
                }
            }
            size += Int64(got)
        }
    }

    private static var reason: String { String(cString: strerror(errno)).lowercased() }
}

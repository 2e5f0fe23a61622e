import Foundation

/// Files that are there whole or not at all, also after a power failure.
enum DurableFile {
    /// The suffix of files being written; what has it was left by a crash and means nothing.
    static let unfinishedSuffix = ".unfinished"

    /// Replaces a file: written beside it, flushed to the disk, then renamed over it.
    static func write(_ bytes: [UInt8], to file: URL) throws(NodeError) {
        let unfinished = file.path + unfinishedSuffix
        let descriptor = open(unfinished, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw .unusable(unfinished, errno) }
        do throws(NodeError) {
            defer { close(descriptor) }
            try writeAll(bytes, to: descriptor, path: unfinished)
            guard fsync(descriptor) == 0 else { throw .unusable(unfinished, errno) }
        } catch {
            unlink(unfinished)
            throw error
        }
        guard rename(unfinished, file.path) == 0 else { throw .unusable(file.path, errno) }
        try synchronize(directory: file.deletingLastPathComponent())
    }

    /// Makes a directory and flushes its name to the disk.
    static func makeDirectory(_ directory: URL) throws(NodeError) {
        if mkdir(directory.path, 0o755) != 0 {
            let reason = errno
            var isDirectory: ObjCBool = false
            guard FileManager.default.fileExists(atPath: directory.path, isDirectory: &isDirectory),
                isDirectory.boolValue
            else {
                throw .unusable(directory.path, reason)
            }
        }
        try synchronize(directory: directory.deletingLastPathComponent())
    }

    /// The content of a file, or nil where there is none.
    static func read(_ file: URL) throws(NodeError) -> [UInt8]? {
        do {
            return try [UInt8](Data(contentsOf: file))
        } catch let error as CocoaError where error.code == .fileReadNoSuchFile {
            return nil
        } catch {
            throw NodeError(.stateDirectoryUnusable, "\(file.path) cannot be read", cause: error)
        }
    }

    /// A rename is only as durable as the directory that holds the name.
    private static func synchronize(directory: URL) throws(NodeError) {
        let descriptor = open(directory.path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .unusable(directory.path, errno) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw .unusable(directory.path, errno) }
    }

    private static func writeAll(_ bytes: [UInt8], to descriptor: Int32, path: String) throws(NodeError) {
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                written += count
            } else if errno != EINTR {
                throw .unusable(path, errno)
            }
        }
    }
}

extension NodeError {
    /// A path that the system refuses to work with, for the reason in `errno`.
    static func unusable(_ path: String, _ errno: Int32) -> NodeError {
        NodeError(
            .stateDirectoryUnusable,
            "\(path) cannot be used: \(String(cString: strerror(errno))); "
                + "choose another state directory or correct its owner and mode"
        )
    }
}

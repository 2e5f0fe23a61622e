import EnsembleModel
import Foundation

/// Files that are there whole or not at all, also after a power failure.
enum DurableFile {
    /// The suffix of files being written; what has it was left by a crash and means nothing.
    static let unfinishedSuffix = ".unfinished"

    /// Replaces a file: written beside it, flushed to the disk, then renamed over it.
    static func write(_ bytes: [UInt8], to file: URL) throws(NodeError) {
        let unfinished = try UnfinishedFile(for: file)
        try unfinished.append(bytes)
        try unfinished.finish()
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

    /// Replaces a file by its digest in a line of its own and then the bytes: see ``readSealed(_:)``.
    static func writeSealed(_ bytes: [UInt8], to file: URL) throws(NodeError) { try write(sealed(bytes), to: file) }

    /// What a sealed file holds.
    static func sealed(_ bytes: [UInt8]) -> [UInt8] { Array("\(ContentDigest.of(bytes))\n".utf8) + bytes }

    /// The bytes that were sealed, or nil where there is no file.
    ///
    /// A bad disk must not pass for a registry that contradicts itself.
    ///
    /// - Throws: ``NodeError`` with code `damagedState` when the bytes are others.
    static func readSealed(_ file: URL) throws(NodeError) -> [UInt8]? {
        guard let content = try read(file) else { return nil }
        let bytes = Array(content.dropFirst(65))
        guard content == sealed(bytes) else {
            throw NodeError(.damagedState, "\(file.path) does not have the digest that stands before its content")
        }
        return bytes
    }

    /// A rename is only as durable as the directory that holds the name.
    fileprivate static func synchronize(directory: URL) throws(NodeError) {
        let descriptor = open(directory.path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .unusable(directory.path, errno) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw .unusable(directory.path, errno) }
    }
}

/// A file that is being written under another name; what is not finished is removed.
final class UnfinishedFile {
    private let file: URL
    private let path: String
    private var descriptor: Int32

    init(for file: URL) throws(NodeError) {
        self.file = file
        path = file.path + DurableFile.unfinishedSuffix
        descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw .unusable(path, errno) }
    }

    deinit {
        guard descriptor >= 0 else { return }
        close(descriptor)
        unlink(path)
    }

    func append(_ bytes: [UInt8]) throws(NodeError) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { bytes in
                Foundation.write(descriptor, bytes.baseAddress?.advanced(by: written), bytes.count - written)
            }
            if count > 0 {
                written += count
            } else if errno != EINTR {
                throw .unusable(path, errno)
            }
        }
    }

    /// Flushes to the disk, then takes the name.
    func finish() throws(NodeError) {
        guard fsync(descriptor) == 0 else { throw .unusable(path, errno) }
        guard rename(path, file.path) == 0 else { throw .unusable(file.path, errno) }
        close(descriptor)
        descriptor = -1
        try DurableFile.synchronize(directory: file.deletingLastPathComponent())
    }
}

extension NodeError {
    /// A path that the system refuses to work with, for the reason in `errno`.
    static func unusable(_ path: String, _ errno: Int32) -> NodeError {
        [ENOSPC, EDQUOT].contains(errno)
            ? NodeError(.diskFull, "\(path) cannot be written: the disk is full; free some of it")
            : NodeError(
                .stateDirectoryUnusable,
                "\(path) cannot be used: \(String(cString: strerror(errno))); "
                    + "choose another state directory or correct its owner and mode")
    }
}

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A temporary file without a name: it is gone with its last user, also when the process is killed.
final class SpoolFile: Sendable {
    private let descriptor: Int32

    /// Makes the file in a directory, which must exist.
    init(directory: String) throws(IngestStop) {
        var path = Array("\(directory)/ingest-XXXXXX".utf8CString)
        descriptor = mkstemp(&path)
        guard descriptor >= 0 else { throw Self.failure("made", directory) }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        guard unlink(path) == 0 else {
            close(descriptor)
            throw Self.failure("unlinked", directory)
        }
    }

    deinit { close(descriptor) }

    /// Writes all bytes at an offset.
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(IngestStop) {
        var done = 0
        while let base = bytes.baseAddress, done < bytes.count {
            let count = pwrite(descriptor, base + done, bytes.count - done, off_t(offset + done))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Self.failure("written", nil) }
            done += count
        }
    }

    /// Fills a buffer from an offset.
    func read(into bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws(IngestStop) {
        var done = 0
        while let base = bytes.baseAddress, done < bytes.count {
            let count = pread(descriptor, base + done, bytes.count - done, off_t(offset + done))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Self.failure("read", nil) }
            done += count
        }
    }

    private static func failure(_ verb: String, _ directory: String?) -> IngestStop {
        let reason = String(cString: strerror(errno))
        let place = directory.map { " in \($0)" } ?? ""
        return .spool(
            "the temporary file of an upload could not be \(verb)\(place): \(reason); "
                + "check the spool directory's space and rights")
    }
}

import Foundation
import Synchronization

/// The advisory lock that makes one process the only one to serve a directory.
///
/// `flock` rather than a pid file: the kernel lets go of it when the holder dies, however it dies. The file is
/// close-on-exec, so that Postgres does not keep the lock of a daemon that was killed.
final class DirectoryLock: Sendable {
    private let path: String
    private let descriptor: Mutex<Int32?>

    private init(path: String, descriptor: Int32) {
        self.path = path
        self.descriptor = Mutex(descriptor)
    }

    deinit { release() }

    /// Takes the lock, or says who holds it.
    static func acquire(_ path: String) throws -> DirectoryLock {
        while true {
            let descriptor = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else { throw PostgresClusterError.unusable(path, errno) }
            guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
                let reason = errno
                defer { close(descriptor) }
                guard reason == EWOULDBLOCK else { throw PostgresClusterError.unusable(path, reason) }
                throw inUse(path)
            }
            // The holder removes the file while it still has the lock. Whoever opened it before that has locked a file
            // that nobody else can find, and must look again.
            var locked = stat()
            var named = stat()
            if fstat(descriptor, &locked) == 0, stat(path, &named) == 0, locked.st_ino == named.st_ino {
                ftruncate(descriptor, 0)
                let pid = "\(getpid())\n"
                _ = pid.withCString { write(descriptor, $0, strlen($0)) }
                return DirectoryLock(path: path, descriptor: descriptor)
            }
            close(descriptor)
        }
    }

    /// Gives the lock back; later calls do nothing.
    func release() {
        descriptor.withLock { held in
            guard let open = held else { return }
            unlink(path)
            close(open)
            held = nil
        }
    }

    private static func inUse(_ path: String) -> PostgresClusterError {
        let text = try? String(contentsOfFile: path, encoding: .utf8)
        let holder = text?.trimmingCharacters(in: .whitespacesAndNewlines)
        let directory = (path as NSString).deletingLastPathComponent
        return PostgresClusterError(
            .directoryInUse,
            "another process\(holder.map { " (pid \($0))" } ?? "") serves the data directory \(directory): "
                + "stop it first, or choose another directory")
    }
}

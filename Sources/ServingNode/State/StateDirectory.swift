import Foundation

/// The directory in which a node keeps what it serves, locked against a second node.
///
/// `flock` rather than a pid file: the kernel lets go of it when the holder dies, however it dies. The file stays, so
/// nobody can lock a file that another one has already removed.
final class StateDirectory: Sendable {
    private let url: URL
    private let lock: Int32

    /// Makes the directory if need be and takes its lock.
    ///
    /// - Throws: ``NodeError`` with code `stateDirectoryInUse` or `stateDirectoryUnusable`.
    init(path: String) throws(NodeError) {
        url = URL(fileURLWithPath: path, isDirectory: true)
        do {
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        } catch {
            throw NodeError(
                .stateDirectoryUnusable, "\(path) cannot be made: choose another state directory", cause: error)
        }
        try DurableFile.makeDirectory(url)
        // Names of ensembles begin with a letter or digit, so none is like this.
        let file = url.appendingPathComponent(".lock").path
        lock = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0 else { throw .unusable(file, errno) }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            let reason = errno
            close(lock)
            guard reason == EWOULDBLOCK else { throw .unusable(file, reason) }
            throw NodeError(
                .stateDirectoryInUse,
                "another node uses the state directory \(path): stop it first, or choose another directory")
        }
    }

    deinit { close(lock) }

    /// The slots of an ensemble.
    func slots(of ensemble: String, limits: NodeLimits) throws(NodeError) -> EnsembleSlots {
        try EnsembleSlots(
            ensemble: ensemble, directory: url.appendingPathComponent(ensemble, isDirectory: true), limits: limits)
    }
}

import EnsembleModel
import Foundation
import Logging

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

    /// The node's id: kept here, made once of the host's name and random digits.
    func nodeID(logger: Logger) -> String {
        let file = url.appendingPathComponent(".node-id")
        do {
            if let bytes = try DurableFile.read(file) {
                let id = String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
                try Name.check(id, as: "node")
                return id
            }
        } catch {
            logger.warning("The node's id is not readable; making another", metadata: ["reason": "\(error)"])
        }
        let id = Self.newNodeID(host: ProcessInfo.processInfo.hostName)
        do {
            try DurableFile.write(Array("\(id)\n".utf8), to: file)
        } catch {
            logger.warning("The node's id is not kept: it is another after a restart", metadata: ["reason": "\(error)"])
        }
        return id
    }

    /// A name that can stand in a path, whatever the host is called.
    static func newNodeID(host: String) -> String {
        let name = host.prefix { $0 != "." }.utf8.prefix(64).map { byte in
            let character = Character(UnicodeScalar(byte))
            return character.isASCII && (character.isLetter || character.isNumber) ? character : "-"
        }
        let digits = String(Int.random(in: 0..<1_000_000))
        let host = String(name).trimmingCharacters(in: ["-"])
        return "\(host.isEmpty ? "node" : host)-\(String(repeating: "0", count: 6 - digits.count))\(digits)"
    }
}

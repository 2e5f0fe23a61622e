import EnsembleModel
import Foundation
import RegistryStore

/// The admin token of the machine the daemon runs on: a file that only its owner can read.
enum LocalAdminToken {
    /// Name of the token: whom audit events name.
    static let name = "local-admin"
    static let fileName = "admin.token"

    /// Makes sure that the file holds a token that is valid.
    ///
    /// Another daemon's token, from another data directory on the same database, stays valid.
    static func ensure(store: RegistryStore, dataDirectory: String) async throws {
        let path = dataDirectory + "/" + fileName
        if try isPrivate(path), let secret = try? String(contentsOfFile: path, encoding: .utf8),
            let token = try await store.authenticate(secret: secret.trimmingCharacters(in: .whitespacesAndNewlines)),
            token.scopes.contains(.admin)
        {
            return
        }
        let (_, secret) = try await store.createToken(name: name, scopes: [.admin], actor: name)
        try write(secret, to: path)
    }

    /// Whether the file is there and nobody but its owner may read it; one that others could read is replaced.
    private static func isPrivate(_ path: String) throws -> Bool {
        var status = stat()
        guard stat(path, &status) == 0 else { return false }
        return status.st_mode & 0o077 == 0
    }

    /// Writes beside and renames, so that the file is never half there, nor ever readable by others.
    private static func write(_ secret: String, to path: String) throws {
        let temporary = path + ".new"
        unlink(temporary)  // Left by a daemon that was killed here.
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure(path) }
        let file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        do {
            try file.write(contentsOf: Data((secret + "\n").utf8))
            try file.synchronize()
        } catch {
            throw failure(path)
        }
        guard rename(temporary, path) == 0 else { throw failure(path) }
    }

    private static func failure(_ path: String) -> DaemonError {
        DaemonError(
            .dataDirectory, "the local admin token cannot be written to \(path): check the directory's permissions")
    }
}

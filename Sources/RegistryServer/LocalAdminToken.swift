import EnsembleModel
import Foundation
import RegistryStore

/// The admin token of the machine the daemon runs on: a file that only its owner can read.
enum LocalAdminToken {
    /// Name of the token and of its file in the data directory.
    static let name = "local-admin"
    static let fileName = "admin.token"

    /// Makes sure that the file holds a token that is valid; an old or foreign one is replaced.
    static func ensure(store: RegistryStore, dataDirectory: String) async throws {
        let path = dataDirectory + "/" + fileName
        if let secret = try? String(contentsOfFile: path, encoding: .utf8).trimmingCharacters(
            in: .whitespacesAndNewlines),
            let token = try await store.authenticate(secret: secret), token.scopes.contains(.admin)
        {
            return
        }
        for token in try await store.tokens() where token.name == name && token.revokedAt == nil {
            try await store.revoke(token: token.id, actor: name)
        }
        let (_, secret) = try await store.createToken(name: name, scopes: [.admin], actor: name)
        try write(secret, to: path)
    }

    /// Writes beside and renames, so that the file is never half there, nor ever readable by others.
    private static func write(_ secret: String, to path: String) throws {
        let temporary = path + ".new"
        try? FileManager.default.removeItem(atPath: temporary)  // Left by a daemon that was killed here.
        let created = FileManager.default.createFile(
            atPath: temporary, contents: Data((secret + "\n").utf8), attributes: [.posixPermissions: 0o600])
        guard created, rename(temporary, path) == 0 else {
            throw DaemonError(
                .dataDirectory, "the local admin token cannot be written to \(path): check the directory's permissions")
        }
    }
}

import Foundation
import Logging
import RegistryStore
import Trust

extension RegistryDaemon {
    /// Where the daemon's keys are.
    var keys: DaemonKeys {
        DaemonKeys(path: configuration.keysDirectory, passphrase: configuration.keysPassphrase)
    }

    /// The signer with the daemon's keys; nil for a daemon without keys, which leaves publishing to others.
    ///
    /// The first daemon of a registry that has neither keys nor a root makes both.
    ///
    /// - Throws: ``DaemonError`` with code `keys`.
    func makeSigner(_ store: RegistryStore) async throws -> DaemonSigner? {
        if try await store.root() == nil { try await addFirstRoot(to: store) }
        let signingKeys = try keys.signingKeys()
        guard let root = try await store.root(), !signingKeys.isEmpty else {
            logger.warning(
                "No keys to sign with: what workers find waits until a daemon with keys publishes it",
                metadata: ["keys": "\(keys.path)"])
            return nil
        }
        let signer = DaemonSigner(root: root, keys: signingKeys)
        let missing = try signer.missingRoles().map(\.rawValue)
        if !missing.isEmpty {
            logger.warning(
                "The registry's root does not name this daemon's keys for every role: it cannot sign for these",
                metadata: [
                    "keys": "\(keys.path)", "root": "\(root.version)", "roles": "\(missing.joined(separator: ","))",
                ])
        }
        return signer
    }

    private func addFirstRoot(to store: RegistryStore) async throws {
        let now = Date()
        if let root = try keys.root() {
            guard root.content.version == 1 else {
                throw DaemonError(
                    .keys,
                    "the registry has no root yet, and that in \(keys.path) is version \(root.content.version): begin "
                        + "with version 1, which 'registry keys init' kept there as 1.root.json")
            }
            try await store.addRoot(root.bytes, version: 1, actor: LocalAdminToken.name, now: now)
            return
        }
        guard try keys.signingKeys().isEmpty else {
            throw DaemonError(
                .keys, "\(keys.path) has keys but no root.json: copy the root that 'registry keys init' made there")
        }
        let root = try keys.makeLocally(now: now)
        try await store.addRoot(root.bytes, version: root.version, actor: LocalAdminToken.name, now: now)
        logger.warning(
            """
            Made all keys on this machine, the root's among them: whoever can read them can sign anything. For \
            production make them with 'registry keys init' and keep the root's keys elsewhere
            """, metadata: ["keys": "\(keys.path)"])
    }
}

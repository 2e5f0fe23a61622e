import Foundation
import Logging
import RegistryStore
import Trust

extension RegistryDaemon {
    /// Where the daemon's keys are.
    var keyDirectory: KeyDirectory {
        KeyDirectory(path: configuration.keysDirectory, passphrase: configuration.keysPassphrase)
    }

    /// The signer with the keys of the key directory; nil for a daemon without keys, which leaves publishing to others.
    ///
    /// The first daemon of a registry that has neither keys nor a root makes both.
    ///
    /// - Throws: ``DaemonError`` with code `keys`.
    func makeSigner(_ store: RegistryStore) async throws -> DaemonSigner? {
        let directory = keyDirectory
        if try await store.root() == nil { try await addFirstRoot(of: directory, to: store) }
        guard let root = try await store.root(), directory.hasKeys else {
            logger.warning(
                "No keys to sign with: what workers find waits until a daemon with keys publishes it",
                metadata: ["keys": "\(directory.path)"])
            return nil
        }
        let signer = DaemonSigner(root: root, keys: try directory.keys())
        let missing = try signer.missingRoles().map(\.rawValue)
        if !missing.isEmpty {
            logger.warning(
                "The registry's root does not name this daemon's keys for every role: it cannot sign for these",
                metadata: [
                    "keys": "\(directory.path)", "root": "\(root.version)",
                    "roles": "\(missing.joined(separator: ","))",
                ])
        }
        return signer
    }

    private func addFirstRoot(of directory: KeyDirectory, to store: RegistryStore) async throws {
        let now = Date()
        if let bytes = try directory.root() {
            do {
                let root = try RootProposal(parsing: bytes, replacing: nil).finished()
                try await store.addRoot(root.bytes, version: root.version, actor: LocalAdminToken.name, now: now)
            } catch let error as TrustError {
                throw DaemonError(
                    .keys,
                    "\(directory.path)/\(KeyDirectory.rootName) cannot be the registry's first root: \(error.message)")
            }
            return
        }
        guard !directory.hasKeys else {
            throw DaemonError(
                .keys,
                "\(directory.path) has keys but no \(KeyDirectory.rootName): copy the root that 'registry keys init' "
                    + "made there")
        }
        let root = try directory.makeLocally(now: now)
        try await store.addRoot(root.bytes, version: root.version, actor: LocalAdminToken.name, now: now)
        logger.warning(
            """
            Made all keys on this machine, the root's among them: whoever can read them can sign anything. For \
            production make them with 'registry keys init' and keep the root's keys elsewhere
            """, metadata: ["keys": "\(directory.path)"])
    }
}

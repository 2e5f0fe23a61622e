import EnsembleModel
import Foundation
import KeyFiles
import Trust

/// The folder with the keys that this daemon signs with, and how to open them.
struct DaemonKeys: Sendable {
    /// Name of the file with the passphrase, where no other is given.
    private static let passphraseName = "passphrase"

    let path: String
    /// Opens the key files; nil takes it from the file `passphrase` beside them.
    let passphrase: String?

    private var directory: KeyDirectory { KeyDirectory(path: path) }

    /// The newest complete root in the folder; nil without one.
    ///
    /// - Throws: ``DaemonError`` with code `keys`.
    func root() throws -> Signed<Root>? { try Self.translating { try directory.root() } }

    /// The keys of the online roles; none where there are no key files. Keys of the root role are left closed: no
    /// daemon needs them.
    ///
    /// - Throws: ``DaemonError`` with code `keys` when a file is damaged, readable by others or does not open.
    func signingKeys() throws -> [SigningKey] {
        try Self.translating {
            let files = try directory.keyFiles().filter { $0.key.role != .root }
            guard !files.isEmpty else { return [] }
            for (file, _) in files { try checkPrivate(file) }
            return try directory.signingKeys(passphrase: passphrase ?? passphraseBeside())
        }
    }

    private func checkPrivate(_ file: String) throws {
        var status = stat()
        guard stat(file, &status) == 0, status.st_mode & 0o077 == 0 else {
            throw DaemonError(.keys, "the key file \(file) must be readable by its owner only: chmod 600 \(file)")
        }
    }

    private func passphraseBeside() throws -> String {
        let file = "\(path)/\(Self.passphraseName)"
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
            throw DaemonError(
                .keys,
                "the keys in \(path) are encrypted: give their passphrase with --passphrase-file or "
                    + "REGISTRY_KEYS_PASSPHRASE")
        }
        return text.trimmingCharacters(in: .newlines)
    }

    /// Makes a root and keys of every role, all in this folder: for a registry of one machine. The root's key should be
    /// elsewhere; whoever has this folder can sign anything.
    ///
    /// - Returns: the root file.
    /// - Throws: ``DaemonError`` with code `keys`.
    func makeLocally(now: Date) throws -> MetadataFile {
        try Self.translating {
            let keys = Dictionary(uniqueKeysWithValues: MetadataRole.allCases.map { ($0, SigningKey()) })
            var proposal = try RootProposal(first: .first(keys: keys.mapValues { [$0.publicKey] }, now: now))
            if let key = keys[.root] { try proposal.sign(with: key) }
            try directory.make()
            var generator = SystemRandomNumberGenerator()
            let passphrase = (0..<4).map { _ in String(generator.next() as UInt64, radix: 36) }.joined()
            // The folder is its owner's only.
            try Data((passphrase + "\n").utf8).write(
                to: URL(filePath: "\(path)/\(Self.passphraseName)"), options: .atomic)
            for (role, key) in keys {
                // Nobody needs to guess a passphrase that lies beside: making a guess dear would cost starts only.
                _ = try directory.store(
                    KeyFile(sealing: key, for: role, passphrase: passphrase, cost: KeyFile.Cost(rounds: 1 << 10)))
            }
            // Last: whoever finds a root finds the keys.
            _ = try directory.store(proposal)
            return try proposal.finished()
        }
    }

    private static func translating<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as TrustError {
            throw DaemonError(.keys, error.message)
        } catch let error as CocoaError {
            throw DaemonError(.keys, "the keys cannot be kept: \(error.localizedDescription)")
        }
    }
}

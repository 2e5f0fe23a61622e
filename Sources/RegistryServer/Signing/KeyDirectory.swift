import Foundation
import RegistryStore
import Trust

/// The directory that holds the daemon's private keys: encrypted key files `*.key`, and a root file, `root.json`.
struct KeyDirectory: Sendable {
    /// Name of the root file.
    static let rootName = "root.json"
    /// Name of the file with the passphrase, where no other is given.
    static let passphraseName = "passphrase"
    static let keySuffix = ".key"

    let path: String
    /// Opens the key files; nil takes it from the file `passphrase` beside them.
    let passphrase: String?

    /// Whether there are key files.
    var hasKeys: Bool { !names.isEmpty }

    private var names: [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).filter { $0.hasSuffix(Self.keySuffix) }
            .sorted()
    }

    /// The private keys of the online roles. Keys of the root role are left closed: no daemon needs them.
    ///
    /// - Throws: ``DaemonError`` with code `keys` when a file is damaged, readable by others or does not open.
    func keys() throws -> [SigningKey] {
        let files = try names.map { name in (name: name, file: try file(name)) }.filter { $0.file.role != .root }
        guard !files.isEmpty else { return [] }
        let passphrase = try passphrase ?? passphraseBeside()
        return try files.map { name, file in
            do throws(TrustError) {
                return try file.open(passphrase: passphrase)
            } catch {
                throw DaemonError(.keys, "\(path)/\(name): \(error.message)")
            }
        }
    }

    /// The root file; nil without one.
    func root() throws -> [UInt8]? {
        let file = "\(path)/\(Self.rootName)"
        guard FileManager.default.fileExists(atPath: file) else { return nil }
        return try Self.read(file)
    }

    private func file(_ name: String) throws -> KeyFile {
        let file = "\(path)/\(name)"
        var status = stat()
        guard stat(file, &status) == 0, status.st_mode & 0o077 == 0 else {
            throw DaemonError(.keys, "the key file \(file) must be readable by its owner only: chmod 600 \(file)")
        }
        do {
            return try KeyFile(parsing: Self.read(file))
        } catch let error as TrustError {
            throw DaemonError(.keys, "\(file): \(error.message)")
        }
    }

    private func passphraseBeside() throws -> String {
        let file = "\(path)/\(Self.passphraseName)"
        guard FileManager.default.fileExists(atPath: file) else {
            throw DaemonError(
                .keys,
                "the keys in \(path) are encrypted: give their passphrase with --passphrase-file or "
                    + "REGISTRY_KEYS_PASSPHRASE")
        }
        return try String(decoding: Self.read(file), as: UTF8.self).trimmingCharacters(in: .newlines)
    }

    private static func read(_ file: String) throws -> [UInt8] {
        do {
            return Array(try Data(contentsOf: URL(fileURLWithPath: file)))
        } catch {
            throw DaemonError(.keys, "\(file) cannot be read: check its owner and permissions")
        }
    }

    /// Makes a root and keys of every role, all in this directory: for a registry of one machine. The root's key should
    /// be elsewhere; whoever has this directory can sign anything.
    ///
    /// - Returns: the root file.
    func makeLocally(now: Date) throws -> MetadataFile {
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            let keys = Dictionary(uniqueKeysWithValues: MetadataRole.allCases.map { ($0, SigningKey()) })
            var proposal = try RootProposal(first: .first(keys: keys.mapValues { [$0.publicKey] }, now: now))
            if let key = keys[.root] { try proposal.sign(with: key) }
            let root = try proposal.finished()
            var generator = SystemRandomNumberGenerator()
            let passphrase = (0..<4).map { _ in String(generator.next() as UInt64, radix: 36) }.joined()
            try write(Array((passphrase + "\n").utf8), Self.passphraseName)
            for (role, key) in keys {
                // Nobody needs to guess a passphrase that lies beside: making a guess dear would cost starts only.
                let file = try KeyFile(
                    sealing: key, for: role, passphrase: passphrase, cost: KeyFile.Cost(rounds: 1 << 10))
                try write(file.bytes, role.rawValue + Self.keySuffix)
            }
            // Last: whoever finds it finds the keys.
            try write(root.bytes, Self.rootName)
            return root
        } catch let error as CocoaError {
            throw DaemonError(.keys, "keys cannot be written to \(path): \(error.localizedDescription)")
        }
    }

    private func write(_ bytes: [UInt8], _ name: String) throws {
        let file = URL(fileURLWithPath: "\(path)/\(name)")
        try Data(bytes).write(to: file, options: .atomic)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: file.path)
    }
}

import Foundation
public import Trust

/// A folder of key files and roots: where ceremonies take place, and what a daemon that signs is pointed at.
///
/// It holds `ROLE-ID.key` (a `KeyFile`, readable by its owner only), every complete root as `N.root.json`, the newest
/// of them also as `root.json`, and as `root.proposed.json` a root that waits for signatures.
public struct KeyDirectory: Sendable {
    /// The folder.
    public let path: String
    private var url: URL { URL(filePath: path, directoryHint: .isDirectory) }

    private static let rootName = "root.json"
    /// The name of a root that waits for signatures.
    public static let proposalName = "root.proposed.json"

    /// Names a folder; nothing is read or made.
    public init(path: String) { self.path = path }

    /// Makes the folder, for its owner only, unless it is there.
    ///
    /// - Throws: `TrustError` with code `unavailable`.
    public func make() throws(TrustError) {
        do {
            try FileManager.default.createDirectory(
                at: url, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw TrustError(.unavailable, nil, "\(path) cannot be made: \(error.localizedDescription)")
        }
    }

    /// The newest complete root; nil in a folder without.
    ///
    /// - Throws: `TrustError` with code `unavailable`, `malformed`, or `wrong_signature` when it is not complete.
    public func root() throws(TrustError) -> Signed<Root>? {
        guard let bytes = try read(Self.rootName, atMost: TrustLimits().rootBytes) else { return nil }
        let root = try Signed<Root>(parsing: bytes)
        try root.content.verify(root)
        return root
    }

    /// The complete root of a version; nil where it is not kept.
    ///
    /// - Throws: as ``root()``.
    public func root(version: Int) throws(TrustError) -> Signed<Root>? {
        guard let bytes = try read(MetadataRole.root.fileName(version: version), atMost: TrustLimits().rootBytes) else {
            return nil
        }
        let root = try Signed<Root>(parsing: bytes)
        try root.content.verify(root)
        return root
    }

    /// The root that waits for signatures; nil when none does.
    ///
    /// - Throws: as ``root()``, and what `RootProposal` throws.
    public func proposal() throws(TrustError) -> RootProposal? {
        guard let bytes = try read(Self.proposalName, atMost: TrustLimits().rootBytes) else { return nil }
        return try RootProposal(parsing: bytes, replacing: root())
    }

    /// Stores a proposal: as a root when it is complete, as waiting for signatures when not.
    ///
    /// - Returns: the path of the file written.
    /// - Throws: `TrustError` with code `unavailable`.
    public func store(_ proposal: RootProposal) throws(TrustError) -> String {
        guard proposal.isComplete else {
            try write(proposal.bytes, to: Self.proposalName, permissions: 0o644)
            return file(Self.proposalName)
        }
        let root = try proposal.finished()
        try write(root.bytes, to: root.name, permissions: 0o644)
        try write(root.bytes, to: Self.rootName, permissions: 0o644)
        do {
            try FileManager.default.removeItem(at: url.appending(path: Self.proposalName))
        } catch let error as CocoaError where error.code == .fileNoSuchFile {
        } catch {
            throw TrustError(
                .unavailable, .root, "\(file(Self.proposalName)) cannot be removed: \(error.localizedDescription)")
        }
        return file(root.name)
    }

    /// The key files, by name, unopened; none where there is no folder.
    ///
    /// - Throws: `TrustError` with code `unavailable` or `damaged_key_file`, which names the file.
    public func keyFiles() throws(TrustError) -> [(path: String, key: KeyFile)] {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: path)
        } catch let error as CocoaError where error.code == .fileReadNoSuchFile || error.code == .fileNoSuchFile {
            return []
        } catch {
            throw TrustError(.unavailable, nil, "\(path) cannot be read: \(error.localizedDescription)")
        }
        var files: [(path: String, key: KeyFile)] = []
        for name in names.filter({ $0.hasSuffix(".key") }).sorted() {
            files.append((file(name), try Self.keyFile(file(name))))
        }
        return files
    }

    /// Reads one key file, in this folder or elsewhere.
    ///
    /// - Throws: as ``keyFiles()``.
    public static func keyFile(_ path: String) throws(TrustError) -> KeyFile {
        let url = URL(filePath: path)
        let directory = KeyDirectory(path: url.deletingLastPathComponent().path)
        guard let bytes = try directory.read(url.lastPathComponent, atMost: KeyFile.maximumBytes) else {
            throw TrustError(.unavailable, nil, "there is no key file \(path)")
        }
        do throws(TrustError) {
            return try KeyFile(parsing: bytes)
        } catch {
            throw TrustError(error.code, error.role, "\(path): \(error.message)")
        }
    }

    /// Opens the keys of some roles: what a daemon signs with.
    ///
    /// - Throws: as ``keyFiles()``, and with code `wrong_passphrase`, which names the file.
    public func signingKeys(
        of roles: Set<MetadataRole> = [.targets, .snapshot, .timestamp], passphrase: String
    ) throws(TrustError) -> [SigningKey] {
        var keys: [SigningKey] = []
        for (path, key) in try keyFiles() where roles.contains(key.role) {
            do throws(TrustError) {
                keys.append(try key.open(passphrase: passphrase))
            } catch {
                throw TrustError(error.code, error.role, "\(path): \(error.message)")
            }
        }
        return keys
    }

    /// Stores a new key file, readable by its owner only.
    ///
    /// - Returns: its path.
    /// - Throws: `TrustError` with code `unavailable`.
    public func store(_ key: KeyFile) throws(TrustError) -> String {
        let name = "\(key.role.rawValue)-\(key.publicKey.keyID.prefix(12)).key"
        try write(key.bytes, to: name, permissions: 0o600)
        return file(name)
    }

    private func file(_ name: String) -> String { url.appending(path: name).path }

    private func read(_ name: String, atMost limit: Int) throws(TrustError) -> [UInt8]? {
        do {
            let handle = try FileHandle(forReadingFrom: url.appending(path: name))
            defer { try? handle.close() }
            let bytes = try handle.read(upToCount: limit + 1) ?? Data()
            guard bytes.count <= limit else {
                throw TrustError(.tooLarge, nil, "\(file(name)) has more than \(limit) bytes")
            }
            return Array(bytes)
        } catch let error as CocoaError where error.code == .fileReadNoSuchFile || error.code == .fileNoSuchFile {
            return nil
        } catch let error as TrustError {
            throw error
        } catch {
            throw TrustError(.unavailable, nil, "\(file(name)) cannot be read: \(error.localizedDescription)")
        }
    }

    /// Written beside it, flushed, then renamed: a file is there whole or not at all, and nobody else may ever read a
    /// key.
    private func write(_ bytes: [UInt8], to name: String, permissions: mode_t) throws(TrustError) {
        let unfinished = file(name) + ".unfinished"
        do {
            let descriptor = open(unfinished, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, permissions)
            guard descriptor >= 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
            let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
            try handle.write(contentsOf: bytes)
            try handle.synchronize()
            try handle.close()
            guard rename(unfinished, file(name)) == 0 else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        } catch {
            throw TrustError(.unavailable, nil, "\(file(name)) cannot be written: \(error.localizedDescription)")
        }
    }
}

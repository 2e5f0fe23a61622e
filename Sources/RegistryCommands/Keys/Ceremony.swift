import Foundation
import KeyFiles
import Trust

/// One change of the root in a folder of keys: made, signed with the root keys at hand, stored.
struct Ceremony {
    private let folder: KeyOptions
    private let directory: KeyDirectory
    /// Key files elsewhere that sign too.
    private let signers: [String]
    private let now = Date()
    private var passphrase: String?
    /// New keys, stored only when the ceremony has come to its end.
    private var made: [(key: SigningKey, file: KeyFile)] = []

    init(_ folder: KeyOptions, signers: [String] = []) {
        self.folder = folder
        directory = folder.directory
        self.signers = signers
    }

    /// Read, or asked for, when it is first needed.
    private mutating func passphrase(isNew: Bool) throws -> String {
        let known = try passphrase ?? folder.passphrase(isNew: isNew)
        passphrase = known
        return known
    }

    /// Makes a key for a role.
    mutating func makeKey(for role: MetadataRole) throws -> PublicKey {
        let key = SigningKey()
        let passphrase = try passphrase(isNew: true)
        made.append((key, try KeyFile(sealing: key, for: role, passphrase: passphrase)))
        return key.publicKey
    }

    /// Stores the new keys.
    ///
    /// - Returns: the paths of their files.
    func storeKeys() throws -> [String] {
        try directory.make()
        return try made.map { try directory.store($0.file) }
    }

    /// The first root.
    mutating func initialise(rootKeys: Int, threshold: Int, others: [PublicKey]) throws -> KeysReport {
        guard try directory.root() == nil, try directory.proposal() == nil else {
            throw CommandError(.refused, "\(directory.path) has a root already: change it with rotate, add or revoke")
        }
        guard threshold >= 1, threshold <= rootKeys + others.count else {
            throw CommandError(
                .usage, "a threshold of \(threshold) cannot be met by \(rootKeys + others.count) root keys")
        }
        var keys: [MetadataRole: [PublicKey]] = [.root: others]
        for _ in 0..<rootKeys { keys[.root]?.append(try makeKey(for: .root)) }
        for role in MetadataRole.allCases where role != .root { keys[role] = [try makeKey(for: role)] }
        return try sign(RootProposal(first: Root.first(keys: keys, thresholds: [.root: threshold], now: now)))
    }

    /// The next root with a change.
    mutating func change(_ change: (inout Root, inout Ceremony) throws -> Void) throws -> KeysReport {
        guard let current = try directory.root() else {
            throw CommandError(.refused, "\(directory.path) has no root: make one with `registry keys init`")
        }
        guard try directory.proposal() == nil else {
            throw CommandError(
                .refused,
                "\(directory.path)/\(KeyDirectory.proposalName) waits for signatures: finish it with "
                    + "`registry keys sign`, or delete it")
        }
        var root = current.content.successor(now: now)
        try change(&root, &self)
        return try sign(RootProposal(root, replacing: current))
    }

    /// Signs what waits for signatures, and takes over those of another holder's copy.
    mutating func finish(merging copy: [UInt8]?) throws -> KeysReport {
        guard var proposal = try directory.proposal() else {
            throw CommandError(.refused, "nothing waits for signatures in \(directory.path)")
        }
        if let copy { try proposal.merge(Signed(parsing: copy)) }
        return try sign(proposal)
    }

    private mutating func sign(_ proposal: RootProposal) throws -> KeysReport {
        var proposal = proposal
        for (key, file) in made where file.role == .root { try proposal.sign(with: key) }
        let wanted = Set(proposal.missing.flatMap(\.keyIDs))
        let files = try directory.keyFiles() + signers.map { ($0, try KeyDirectory.keyFile($0)) }
        for (path, file) in files where wanted.contains(file.publicKey.keyID) {
            let passphrase = try passphrase(isNew: false)
            do throws(TrustError) {
                try proposal.sign(with: file.open(passphrase: passphrase))
            } catch {
                throw TrustError(error.code, error.role, "\(path): \(error.message)")
            }
        }
        let written = try storeKeys() + [directory.store(proposal)]
        return try KeysReport(of: directory, written: written, now: now)
    }
}

extension Root {
    /// The one key of a role whose id starts so; without a start, the only one.
    func keyID(startingWith start: String?, of role: MetadataRole) throws -> String {
        let ids = roles[role]?.keyIDs ?? []
        let found = ids.filter { $0.hasPrefix(start?.lowercased() ?? "") }
        guard let id = found.first, found.count == 1 else {
            let what = start.map { "start with '\($0)'" } ?? "could be meant"
            throw CommandError(
                .usage,
                "\(found.count) of the \(role.rawValue) keys \(what): name one of \(ids.joined(separator: ", "))")
        }
        return id
    }
}

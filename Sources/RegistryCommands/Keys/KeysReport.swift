import Foundation
import KeyFiles
import Trust

/// What a folder of keys holds, after a ceremony or when asked for.
struct KeysReport: Encodable {
    struct Role: Encodable {
        var role: String
        var threshold: Int
        var keys: [Key]
        /// Whether the keys in the folder reach the threshold.
        var isMet: Bool
    }

    struct Key: Encodable {
        var id: String
        /// The key's file in the folder, if it is there.
        var file: String?
        /// Whether it has signed the root that waits.
        var hasSigned: Bool?
    }

    struct Missing: Encodable {
        var rootVersion: Int
        var signatures: Int
        var of: [String]
    }

    var version: Int
    var expires: Date
    var isExpired: Bool
    var isRenewalDue: Bool
    /// Whether nothing waits for signatures.
    var isComplete: Bool
    var roles: [Role]
    var missing: [Missing]
    /// Key files in the folder that the root does not name: new ones for elsewhere, and old ones.
    var unnamed: [String]
    /// The files that were written.
    var written: [String]

    /// Looks at the root that waits for signatures, or else at the newest complete one.
    init(of directory: KeyDirectory, written: [String] = [], now: Date) throws {
        let proposal = try directory.proposal()
        guard let root = try proposal?.proposed.content ?? directory.root()?.content else {
            throw CommandError(.refused, "\(directory.path) has no root: make one with `registry keys init`")
        }
        let files = try directory.keyFiles()
        let status = RootStatus(of: root, held: files.map(\.key.publicKey), now: now)
        let signed = proposal.map { Set($0.signers) }
        version = status.version
        expires = status.expires
        isExpired = status.isExpired
        isRenewalDue = status.isRenewalDue
        isComplete = proposal == nil
        roles = status.roles.map { role in
            Role(
                role: role.role.rawValue, threshold: role.threshold,
                keys: role.keyIDs.map { id in
                    Key(
                        id: id, file: files.first { $0.key.publicKey.keyID == id }?.path,
                        hasSigned: role.role == .root ? signed?.contains(id) : nil)
                }, isMet: role.isMet)
        }
        missing = (proposal?.missing ?? []).map {
            Missing(rootVersion: $0.version, signatures: $0.count, of: $0.keyIDs)
        }
        unnamed = files.filter { root.keyID(of: $0.key.publicKey, for: $0.key.role) == nil }.map(\.path)
        self.written = written
    }

    /// The text for people.
    var text: String {
        let state = isComplete ? isExpired ? "expired" : "valid" : "waits for signatures"
        var text = TextTable.details([
            ("root", "version \(version), \(state)"),
            ("expires (UTC)", Format.date(expires) + (isRenewalDue ? ": renew it" : "")),
        ])
        text +=
            "\n"
            + TextTable(
                columns: [.text("role"), .text("threshold"), .text("key"), .text("here")]
                    + (isComplete ? [] : [.text("signed")]),
                rows: roles.flatMap { role in
                    role.keys.enumerated().map { index, key in
                        [
                            index == 0 ? role.role : "",
                            index == 0 ? "\(role.threshold) of \(role.keys.count)" : "", String(key.id.prefix(12)),
                            key.file == nil ? "no" : "yes",
                        ] + (isComplete ? [] : [key.hasSigned.map { $0 ? "yes" : "no" } ?? ""])
                    }
                }
            ).text
        for missing in missing {
            text +=
                "\nRoot version \(missing.rootVersion) asks for \(missing.signatures) more of: "
                + missing.of.map { String($0.prefix(12)) }.joined(separator: ", ")
        }
        for file in unnamed { text += "\nnot named by this root: \(file)" }
        if !written.isEmpty { text += "\nwritten: " + written.joined(separator: "\n         ") }
        return text
    }

    /// Writes the report; ends with the status *held* while signatures are missing.
    func emit(on output: Output) throws {
        try output.emit(self) { $0.text }
        if !isComplete { try ExitStatus.held.end() }
    }
}

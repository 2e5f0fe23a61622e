import ArgumentParser
import Foundation
import KeyFiles
import Trust

/// Ceremonies of the keys that a registry signs with.
struct KeysCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keys", abstract: "Make, change and look at the keys that a registry signs with.",
        discussion: """
            The root names every role's keys; nodes are installed with a root and follow all later ones. A change \
            makes the next root and signs it with the root keys in the folder; where they do not reach the thresholds \
            of the old root and the new one, it waits as root.proposed.json for other holders (exit status 5). \
            Only `publish` sends anything anywhere. A daemon signs with the targets, snapshot and timestamp keys, and \
            never needs a root key.
            """,
        subcommands: [
            Initialise.self, Create.self, Add.self, Rotate.self, Revoke.self, Renew.self, Sign.self, Status.self,
            PublishRootCommand.self,
        ])

    /// Options of what signs a new root.
    struct SigningOptions: ParsableArguments {
        @OptionGroup var folder: KeyOptions

        @Option(
            name: .customLong("sign-with"), parsing: .upToNextOption,
            help: ArgumentHelp("Root key files elsewhere that sign too, under the same passphrase.", valueName: "file"))
        var signers: [String] = []

        var ceremony: Ceremony { Ceremony(folder, signers: signers) }
    }

    /// The key that a role is given.
    struct NewKeyOptions: ParsableArguments {
        @Option(
            name: .customLong("public"),
            help: ArgumentHelp(
                "Key file whose public half is taken, of a holder elsewhere (default: a new key is made).",
                valueName: "file"))
        var file: String?

        func key(for role: MetadataRole, in ceremony: inout Ceremony) throws -> PublicKey {
            guard let file else { return try ceremony.makeKey(for: role) }
            return try KeysCommand.publicKey(file, for: role)
        }
    }

    fileprivate static func publicKey(_ file: String, for role: MetadataRole) throws -> PublicKey {
        let key = try KeyDirectory.keyFile(file)
        guard key.role == role else {
            throw CommandError(.refused, "\(file) is a \(key.role.rawValue) key, not a \(role.rawValue) key")
        }
        return key.publicKey
    }

    struct Initialise: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "init", abstract: "Make every role's keys and the first root.",
            discussion: """
                Afterwards move the root key files apart, to media that are not on the network: who holds as many of \
                them as the threshold holds the registry.
                """)

        @Option(help: ArgumentHelp("Root keys to make.", valueName: "n")) var rootKeys = 3
        @Option(help: ArgumentHelp("Root keys that must sign a root.", valueName: "n")) var threshold = 2
        @Option(
            name: .customLong("root-public"), parsing: .upToNextOption,
            help: ArgumentHelp("Key files of further root holders, whose public halves are taken.", valueName: "file"))
        var others: [String] = []
        @OptionGroup(title: "Keys") var signing: SigningOptions

        func validate() throws {
            guard (0...32).contains(rootKeys), rootKeys + others.count > 0 else {
                throw ValidationError("--root-keys must be between 0 and 32, and there must be a root key.")
            }
        }

        func run() async throws {
            var ceremony = signing.ceremony
            let others = try others.map { try KeysCommand.publicKey($0, for: .root) }
            try ceremony.initialise(rootKeys: rootKeys, threshold: threshold, others: others)
                .emit(on: signing.folder.output)
        }
    }

    struct Create: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "create", abstract: "Make a key file only, for a ceremony elsewhere.")

        @Argument(help: "Whose key it is.") var role: MetadataRole
        @OptionGroup(title: "Keys") var folder: KeyOptions

        func run() async throws {
            var ceremony = Ceremony(folder)
            let key = try ceremony.makeKey(for: role)
            let written = try ceremony.storeKeys()
            try folder.output.emit(["key": key.keyID, "file": written[0]]) { $0["file"] ?? "" }
        }
    }

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "add", abstract: "Give a role one more key.")

        @Argument(help: "Whose key it is.") var role: MetadataRole
        @Option(help: ArgumentHelp("The role's new threshold (default: as it was).", valueName: "n"))
        var threshold: Int?
        @OptionGroup var new: NewKeyOptions
        @OptionGroup(title: "Keys") var signing: SigningOptions

        func run() async throws {
            var ceremony = signing.ceremony
            try ceremony.change { root, ceremony in
                try root.add(new.key(for: role, in: &ceremony), to: role)
                if let threshold { root.roles[role]?.threshold = threshold }
            }.emit(on: signing.folder.output)
        }
    }

    struct Rotate: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "rotate", abstract: "Put a new key in the place of one of a role's.")

        @Argument(help: "Whose key it is.") var role: MetadataRole
        @Argument(help: "Start of the old key's id; may be left out where the role has one key.") var key: String?
        @OptionGroup var new: NewKeyOptions
        @OptionGroup(title: "Keys") var signing: SigningOptions

        func run() async throws {
            var ceremony = signing.ceremony
            try ceremony.change { root, ceremony in
                let old = try root.keyID(startingWith: key, of: role)
                try root.rotate(old, to: new.key(for: role, in: &ceremony), in: role)
            }.emit(on: signing.folder.output)
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(commandName: "revoke", abstract: "Take a key from a role.")

        @Argument(help: "Whose key it is.") var role: MetadataRole
        @Argument(help: "Start of the key's id.") var key: String
        @Option(help: ArgumentHelp("The role's new threshold (default: as it was).", valueName: "n"))
        var threshold: Int?
        @OptionGroup(title: "Keys") var signing: SigningOptions

        func run() async throws {
            var ceremony = signing.ceremony
            try ceremony.change { root, _ in
                try root.revoke(root.keyID(startingWith: key, of: role), from: role)
                if let threshold { root.roles[role]?.threshold = threshold }
            }.emit(on: signing.folder.output)
        }
    }

    struct Renew: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "renew", abstract: "Make the next root with the same keys, for another year.")

        @OptionGroup(title: "Keys") var signing: SigningOptions

        func run() async throws {
            var ceremony = signing.ceremony
            try ceremony.change { _, _ in }.emit(on: signing.folder.output)
        }
    }

    struct Sign: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "sign", abstract: "Add signatures to the root that waits for them, as another holder.")

        @Option(
            help: ArgumentHelp(
                "Another holder's copy of root.proposed.json, whose signatures are taken over.",
                valueName: "file"))
        var merge: String?
        @OptionGroup(title: "Keys") var signing: SigningOptions

        func run() async throws {
            let copy = try merge.map {
                Array(try TextFile.read($0, upTo: TrustLimits().rootBytes, what: "the other holder's copy").utf8)
            }
            var ceremony = signing.ceremony
            try ceremony.finish(merging: copy).emit(on: signing.folder.output)
        }
    }

    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "status", abstract: "Show who holds what, what is met and when it expires.")

        @OptionGroup(title: "Keys") var folder: KeyOptions

        func run() async throws {
            try folder.output.emit(KeysReport(of: folder.directory, now: Date())) { $0.text }
        }
    }
}

public import ArgumentParser
import Foundation
import KeyFiles
public import Trust

/// Where the folder of keys is, and what opens it: options of every ceremony.
struct KeyOptions: ParsableArguments, Sendable {
    @Option(help: ArgumentHelp("Folder of key files and roots.", valueName: "dir"))
    var keys: String

    @Option(
        help: ArgumentHelp(
            "File with the keys' passphrase (REGISTRY_KEYS_PASSPHRASE; default: asked for).", valueName: "file"))
    var passphraseFile: String?

    @Flag(help: "Write JSON for programs.")
    var json = false

    var directory: KeyDirectory { KeyDirectory(path: keys) }
    var output: Output { Output(console: .current, json: json) }

    private static let maximumBytes = 4096

    /// The passphrase of the first place that has one.
    ///
    /// - Parameter isNew: whether it will protect a new key: then it is asked for twice.
    func passphrase(isNew: Bool) throws -> String {
        let console = output.console
        if let passphraseFile {
            let text = try TextFile.read(passphraseFile, upTo: Self.maximumBytes, what: "the passphrase")
            return try checked(text.trimmingCharacters(in: .newlines))
        }
        if let text = console.environment["REGISTRY_KEYS_PASSPHRASE"] { return try checked(text) }
        guard let first = try console.ask("Passphrase of the keys: ") else {
            throw CommandError(
                .usage, "there is nobody to ask for the passphrase: give --passphrase-file or REGISTRY_KEYS_PASSPHRASE")
        }
        if isNew, try console.ask("Once more: ") != first {
            throw CommandError(.usage, "the two passphrases differ: nothing was made")
        }
        return try checked(first)
    }

    private func checked(_ text: String) throws -> String {
        guard !text.isEmpty else { throw CommandError(.usage, "the passphrase is empty") }
        return text
    }
}

extension MetadataRole: ExpressibleByArgument {}

import ArgumentParser
import Foundation
import Testing

@testable import RegistryCommands

/// The help text of every command, as checked in. `UPDATE_SNAPSHOTS=1 swift test --filter HelpTests` writes them anew.
struct HelpTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Snapshots")

    private static let isUpdating = ProcessInfo.processInfo.environment["UPDATE_SNAPSHOTS"] == "1"

    struct Command: Sendable, CustomTestStringConvertible {
        var path: [String]
        var help: String
        var abstract: String
        var testDescription: String { path.joined(separator: " ") }
        var file: URL { HelpTests.folder.appending(path: path.joined(separator: "-") + ".txt") }
    }

    static let commands = all(RegistryCommand.self, [])

    private static func all(_ type: any ParsableCommand.Type, _ parents: [String]) -> [Command] {
        let configuration = type.configuration
        let path = parents + [configuration.commandName ?? ""]
        let help = RegistryCommand.helpMessage(for: type, columns: 80) + "\n"
        return [Command(path: path, help: help, abstract: configuration.abstract)]
            + configuration.subcommands.flatMap { all($0, path) }
    }

    @Test(arguments: commands)
    func helpIsAsCheckedIn(_ command: Command) throws {
        if Self.isUpdating {
            try FileManager.default.createDirectory(at: Self.folder, withIntermediateDirectories: true)
            try command.help.write(to: command.file, atomically: true, encoding: .utf8)
        }
        #expect(try String(contentsOf: command.file, encoding: .utf8) == command.help)
    }

    @Test(.disabled(if: isUpdating, "they are being written"))
    func noSnapshotIsLeftOver() throws {
        let files = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path)
        #expect(Set(files) == Set(Self.commands.map(\.file.lastPathComponent)))
    }

    @Test(arguments: commands)
    func abstractIsOneSentence(_ command: Command) throws {
        #expect(command.abstract.hasSuffix("."))
        #expect(!command.abstract.dropLast().contains(". "))
        let name = try #require(command.path.last)
        #expect(!command.abstract.lowercased().hasPrefix(name.lowercased() + " "))
    }

    @Test func helpEndsWellAndWrongUsageWithTwo() async {
        let help = await Transcript.run(["submit", "--help"])
        #expect(help.status == 0)
        #expect(help.output.hasPrefix("OVERVIEW: Offer a model version"))
        #expect(help.errors == "")
        for arguments in [
            ["bogus"], ["submit"], ["submit", "e", "no-version", "--predictions", "p.csv"],
            ["ensembles", "list", "--limit", "0"],
        ] {
            let wrong = await Transcript.run(arguments)
            #expect(wrong.status == 2, "\(arguments)")
            #expect(wrong.output == "")
            #expect(wrong.errors.hasPrefix("Error: "))
        }
    }
}

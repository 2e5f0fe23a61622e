import Foundation
import RegistryTesting
import Testing

/// The README names commands and options as the programs know them.
@Suite struct HelpTests {
    private static let readme = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent(
            "README.md")

    /// Lines of the README's shell examples that call one of our programs, without comments and continuations.
    private static func examples() throws -> [[String]] {
        let text = try String(contentsOf: readme, encoding: .utf8).replacing("\\\n", with: " ")
        return text.split(separator: "\n").compactMap { line in
            let words = line.prefix { $0 != "#" }.split(separator: " ").map(String.init)
            return words.first.map { ["registryd", "registry", "registry-node"].contains($0) } == true ? words : nil
        }
    }

    @Test func everyExampleOfTheReadmeNamesCommandsAndOptionsThatExist() async throws {
        let examples = try Self.examples()
        #expect(examples.count >= 10)
        for words in examples {
            let subcommands = Array(words.dropFirst().prefix { $0.allSatisfy { $0.isLetter } }.prefix(3))
            let help = try await Self.help(words[0], subcommands)
            for option in words where option.hasPrefix("--") {
                let name = option.split(separator: "=")[0]
                #expect(help.contains(name), "\(words.joined(separator: " ")): \(name)")
            }
        }
    }

    /// The help of the deepest subcommand that the words name.
    private static func help(_ program: String, _ words: [String]) async throws -> String {
        for count in stride(from: words.count, through: 1, by: -1) {
            let result = try await Programs.run(program, Array(words.prefix(count)) + ["--help"])
            if result.status == 0,
                result.output.contains("USAGE: \(program) \(words.prefix(count).joined(separator: " "))")
            {
                return result.output
            }
        }
        Issue.record("\(program) has no command \(words.joined(separator: " "))")
        return ""
    }

    @Test(arguments: [
        "registryd serve --bogus", "registryd serve --workers 99", "registryd worker", "registryd migrate",
        "registry submit", "registry-node run", "registry-node run --registry nowhere --ensemble e --state /tmp",
        "registry-node run --registry http://h --ensemble e --state /tmp --token-file /nonexistent",
    ])
    func wrongUsageEndsEveryProgramWithTheSameStatus(line: String) async throws {
        let words = line.split(separator: " ").map(String.init)
        let result = try await Programs.run(words[0], Array(words.dropFirst()))
        #expect(result.status == 2)
        #expect(result.output == "")
        #expect(result.errors.contains("Usage: \(words[0])"), "\(result.errors)")
    }

    @Test(arguments: ["registryd", "registry", "registry-node"])
    func everyProgramTellsItsVersion(program: String) async throws {
        let result = try await Programs.run(program, ["--version"])
        #expect(result.status == 0)
        #expect(result.output == "0.1.0\n")
    }
}

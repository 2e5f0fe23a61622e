import Foundation
import Testing

/// The house rules that a machine can check.
@Suite struct RepositoryTests {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private struct Source {
        let path: String
        let lines: [String]
    }

    private static func files(in folders: [String], suffix: String) throws -> [Source] {
        var sources: [Source] = []
        for folder in folders {
            let base = root.appendingPathComponent(folder)
            for name in try FileManager.default.subpathsOfDirectory(atPath: base.path).sorted()
            where name.hasSuffix(suffix) {
                let text = try String(contentsOf: base.appendingPathComponent(name), encoding: .utf8)
                sources.append(Source(path: "\(folder)/\(name)", lines: text.components(separatedBy: "\n")))
            }
        }
        return sources
    }

    private static func swiftSources() throws -> [Source] {
        let sources = try files(in: ["Sources", "Tests"], suffix: ".swift")
        try #require(sources.count > 50)
        return sources
    }

    /// Places where a line of product code (comments aside) contains a text.
    private static func places(of text: String, in sources: [Source], except allowed: [String] = []) -> [String] {
        sources.filter { source in !allowed.contains { source.path.hasPrefix($0) } }.flatMap { source in
            source.lines.enumerated().compactMap { number, line in
                let code = line.trimmingCharacters(in: .whitespaces)
                return code.contains(text) && !code.hasPrefix("//") ? "\(source.path):\(number + 1)" : nil
            }
        }
    }

    @Test func topLevelHoldsOnlyWhatBelongsThere() throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: Self.root.path)
            .filter { !$0.hasPrefix(".") && $0 != "Package.resolved" }
        #expect(Set(names) == ["Package.swift", "Sources", "Tests", "migrations", "deploy", "README.md"])
    }

    @Test func filesStayShort() throws {
        let long = try Self.swiftSources().filter { $0.lines.count > 501 }.map { "\($0.path): \($0.lines.count) lines" }
        #expect(long == [])
    }

    @Test func linesStayWithin120Columns() throws {
        let wide = try Self.swiftSources().filter { !$0.path.contains("/Migrations/") }.flatMap { source in
            source.lines.enumerated().filter { $1.count > 120 }.map { "\(source.path):\($0.offset + 1)" }
        }
        #expect(wide == [])
    }

    @Test func productCodeDoesNotCrashOnPurpose() throws {
        let product = try Self.files(in: ["Sources"], suffix: ".swift")
        for text in ["fatalError(", "try!", "as!"] {
            #expect(Self.places(of: text, in: product) == [], "\(text)")
        }
    }

    @Test func onlyTheCommandLinePrints() throws {
        let product = try Self.files(in: ["Sources"], suffix: ".swift")
        #expect(Self.places(of: "print(", in: product, except: ["Sources/RegistryCommands/"]) == [])
    }

    @Test func everyUncheckedPromiseCarriesItsReason() throws {
        for source in try Self.swiftSources() where !source.path.hasSuffix("RepositoryTests.swift") {
            for (number, line) in source.lines.enumerated()
            where line.contains("@unchecked Sendable") || line.contains("nonisolated(unsafe)") {
                let before = source.lines[max(0, number - 6)..<number]
                #expect(before.contains { $0.contains("//") } || line.contains("//"), "\(source.path):\(number + 1)")
            }
        }
    }

    @Test func sqlStaysInTheStore() throws {
        let product = try Self.files(in: ["Sources"], suffix: ".swift")
        let allowed = [
            "Sources/RegistryStore/", "Sources/Postgres/", "Sources/PostgresCluster/", "Sources/RegistryTesting/",
        ]
        for text in ["SELECT ", "INSERT INTO", "UPDATE ", "DELETE FROM", "CREATE TABLE"] {
            #expect(Self.places(of: text, in: product, except: allowed) == [], "\(text)")
        }
    }

    /// Imports only point down, and the pure targets touch neither files, sockets nor clocks.
    @Test func pureTargetsStayPure() throws {
        let pure = ["EnsembleModel", "Forest", "Shapley", "Evaluation", "Simulation", "Trust"].map { "Sources/\($0)" }
        let sources = try Self.files(in: pure, suffix: ".swift")
        for module in ["NIO", "Logging", "Postgres", "Hummingbird", "AsyncHTTPClient", "Registry"] {
            #expect(Self.places(of: "import \(module)", in: sources) == [], "\(module)")
        }
        for call in ["Date()", "ContinuousClock", "FileManager", "ProcessInfo", "SystemRandomNumberGenerator"] {
            #expect(Self.places(of: call, in: sources) == [], "\(call)")
        }
    }

    @Test func nothingUnfinishedIsLeft() throws {
        let files = try [".swift", ".sql", ".py", ".yaml", ".c", ".h"].flatMap { suffix in
            try Self.files(in: ["Sources", "Tests", "deploy", "migrations"], suffix: suffix)
        }.filter { !$0.path.hasSuffix("RepositoryTests.swift") }
        for mark in ["TODO", "FIXME", "XXX:", "not implemented"] {
            #expect(Self.places(of: mark, in: files) == [], "\(mark)")
        }
    }
}

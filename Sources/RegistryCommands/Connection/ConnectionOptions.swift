import ArgumentParser
import Foundation
import RegistryClient

/// Where the registry is and who is asking: options of every command.
struct ConnectionOptions: ParsableArguments, Sendable {
    @Option(
        help: ArgumentHelp("Address of the registry (REGISTRY_URL; default: \(Self.defaultURL)).", valueName: "url"))
    var registry: String?

    @Option(
        help: ArgumentHelp(
            "File that holds the token (REGISTRY_TOKEN, REGISTRY_TOKEN_FILE; default: the local daemon's).",
            valueName: "file"))
    var tokenFile: String?

    @Option(help: ArgumentHelp("Seconds to wait for an answer.", valueName: "seconds"))
    var timeout = 60.0

    @Flag(help: "Write JSON for programs.")
    var json = false

    static let defaultURL = "http://127.0.0.1:8470"
    private static let maximumTokenBytes = 4096

    mutating func validate() throws {
        guard timeout.isFinite, (0.001...86_400).contains(timeout) else {
            throw ValidationError("--timeout must be a positive number of seconds, at most 86400.")
        }
    }

    func configuration(environment: [String: String]) throws -> RegistryClientConfiguration {
        let url = registry ?? environment["REGISTRY_URL"].flatMap { $0.isEmpty ? nil : $0 } ?? Self.defaultURL
        var timeouts = RegistryClientConfiguration.Timeouts()
        timeouts.answer = .seconds(timeout)
        timeouts.idle = max(timeouts.idle, timeouts.answer)
        return try RegistryClientConfiguration(baseURL: url, token: token(for: url, environment), timeouts: timeouts)
    }

    /// The token of the first place that has one.
    private func token(for url: String, _ environment: [String: String]) throws -> String? {
        if let tokenFile { return try Self.read(tokenFile) }
        if let token = environment["REGISTRY_TOKEN"], !token.isEmpty { return token }
        if let file = environment["REGISTRY_TOKEN_FILE"], !file.isEmpty { return try Self.read(file) }
        // The local daemon's administrator token must not travel to another machine.
        guard Self.isLoopback(url), let file = Self.localTokenFile(environment),
            FileManager.default.isReadableFile(atPath: file)
        else { return nil }
        return try Self.read(file)
    }

    static func localTokenFile(_ environment: [String: String]) -> String? {
        let data = environment["XDG_DATA_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
        guard let folder = data ?? environment["HOME"].map({ $0 + "/.local/share" }) else { return nil }
        return folder + "/ensemble-registry/admin.token"
    }

    static func isLoopback(_ url: String) -> Bool {
        guard let host = URLComponents(string: url)?.host?.trimmingCharacters(in: ["[", "]"]) else { return false }
        let bytes = host.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        return host == "localhost" || host == "::1" || (bytes.count == 4 && bytes[0] == 127 && !bytes.contains(nil))
    }

    private static func read(_ file: String) throws -> String {
        let text = try TextFile.read(file, upTo: maximumTokenBytes, what: "the token")
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}

/// A command that talks to the registry.
protocol RegistryRequest: AsyncParsableCommand, Sendable {
    var connection: ConnectionOptions { get }
    func run(_ client: RegistryClient, _ output: Output) async throws
}

extension RegistryRequest {
    func run() async throws {
        let output = Output(console: .current, json: connection.json)
        let configuration = try connection.configuration(environment: output.console.environment)
        try await RegistryClient.withClient(configuration: configuration) { try await run($0, output) }
    }
}

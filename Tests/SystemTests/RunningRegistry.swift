import EnsembleModel
import Foundation
import RegistryAPI
import RegistryTesting
import Testing

/// A daemon with its embedded database in a scratch folder, and its command line.
struct RunningRegistry {
    let folder: URL
    let daemon: RunningProgram

    var dataDirectory: String { folder.appendingPathComponent("registry").path }
    var tokenFile: String { dataDirectory + "/admin.token" }
    /// What nodes are installed with.
    var rootFile: String { dataDirectory + "/keys/root.json" }
    var url: String { "http://\(daemon.address)" }

    static func with(_ body: (RunningRegistry) async throws -> Void) async throws {
        try await ScratchDirectory.with { folder in
            let registry = try await start(in: folder)
            do {
                try await body(registry)
            } catch {
                await registry.daemon.end()
                throw error
            }
            await registry.daemon.end()
        }
    }

    static func start(in folder: URL, _ arguments: String...) async throws -> RunningRegistry {
        let daemon = try await RunningProgram(
            "registryd",
            [
                "serve", "--listen", "127.0.0.1:0", "--data-dir", folder.appendingPathComponent("registry").path,
                "--log-level", "info",
            ] + arguments,
            folder: folder)
        return RunningRegistry(folder: folder, daemon: daemon)
    }

    /// Runs a command of the command line.
    func command(_ arguments: String...) async throws -> Programs.Result {
        try await Programs.run(
            "registry", arguments, environment: ["REGISTRY_URL": url, "REGISTRY_TOKEN_FILE": tokenFile])
    }

    /// Runs a command that must succeed, and reads its JSON.
    func json<Value: Decodable>(_ arguments: String..., as type: Value.Type = Value.self) async throws -> Value {
        let result = try await Programs.run(
            "registry", arguments + ["--json"], environment: ["REGISTRY_URL": url, "REGISTRY_TOKEN_FILE": tokenFile])
        try #require([0, 4].contains(result.status), "\(arguments): \(result.errors)")
        return try APIJSON.decoder().decode(Value.self, from: Data(result.output.utf8))
    }

    /// Writes a file into the scratch folder and returns its path.
    func file(_ name: String, _ text: String) throws -> String {
        let url = folder.appendingPathComponent(name)
        try Data(text.utf8).write(to: url)
        return url.path
    }

    /// Creates an ensemble from a simulated task.
    func create(_ name: String, _ task: SimulatedTask) async throws {
        let labels = try file("\(name).labels.csv", task.labelsCSV)
        let classes = try file("\(name).classes.txt", task.validation.classes.joined(separator: "\n"))
        let result = try await command("ensembles", "create", name, "--labels", labels, "--classes", classes)
        try #require(result.status == 0, "\(result.errors)")
    }
}

/// The JSON of `registry submit --wait` and `registry ensembles found --wait`, as far as tests look.
struct Outcome: Decodable {
    var submission: SubmissionRecord?
    var decision: DecisionRecord?
}

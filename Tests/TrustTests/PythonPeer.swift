import Foundation
import Trust

/// python-tuf, run by `Python/tuf_peer.py`.
enum PythonPeer {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()

    /// What stands in the way of running it.
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// What python-tuf's client made of a state.
    struct Outcome: Decodable {
        struct Position: Decodable, Equatable {
            var ensemble: String
            var generation: Int
            var sequence: Int
        }

        var error: String?
        var message: String?
        var root: Int?
        var timestamp: Int?
        var files: [String]?
        var position: Position?
    }

    /// The interpreter that `deploy/setup --python` makes, or the one that `REGISTRY_PYTHON` names.
    private static var interpreter: URL {
        let environment = ProcessInfo.processInfo.environment
        if let named = environment["REGISTRY_PYTHON"] { return URL(fileURLWithPath: named) }
        let cache = environment["XDG_CACHE_HOME"] ?? NSHomeDirectory() + "/.cache"
        return URL(fileURLWithPath: cache + "/ensemble-registry/python/bin/python3")
    }

    /// Runs the script and returns its standard output.
    @discardableResult
    static func run(_ arguments: [String]) async throws -> Data {
        try await withCheckedThrowingContinuation { continuation in
            // Reading pipes and waiting block: not for the cooperative pool.
            Thread.detachNewThread { continuation.resume(with: Result { try runBlocking(arguments) }) }
        }
    }

    /// Writes the registry that python-tuf makes, one folder a state.
    static func write(to folder: URL) async throws { try await run(["write", folder.path]) }

    /// Has python-tuf's client follow states one after the other, starting from a root.
    static func follow(_ states: [URL], root: URL, client: URL) async throws -> [Outcome] {
        let output = try await run(["follow", client.path, root.path] + states.map(\.path))
        return try JSONDecoder().decode([Outcome].self, from: output)
    }

    private static func runBlocking(_ arguments: [String]) throws -> Data {
        guard FileManager.default.isExecutableFile(atPath: interpreter.path) else {
            throw Failure(description: "there is no \(interpreter.path): run 'deploy/setup --python'")
        }
        let process = Process()
        let output = Pipe()
        let errors = Pipe()
        process.executableURL = interpreter
        process.arguments = [folder.appendingPathComponent("Python/tuf_peer.py").path] + arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        let written = try output.fileHandleForReading.readToEnd() ?? Data()
        let complaint = try errors.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failure(description: String(decoding: complaint, as: UTF8.self))
        }
        return written
    }
}

/// A state of a registry on disk: `metadata/` and `targets/`.
struct StateFolder {
    var url: URL

    func metadata(_ role: MetadataRole, _ version: Int?) -> UpdateCycle.Answer {
        file("metadata/" + role.fileName(version: version ?? 0))
    }

    func target(_ file: TargetFile) -> UpdateCycle.Answer { self.file("targets/" + file.consistentPath) }

    /// The outcome of a cycle against it.
    func follow(from trusted: TrustedMetadata, at now: Date) throws -> Followed {
        var cycle = try UpdateCycle(trusted: trusted, ensemble: "esci-us")
        return cycle.run(at: now, fetch: metadata, target: target)
    }

    /// Writes what a release serves.
    func write(_ release: Release) throws {
        let targets = try Signed<Targets>(parsing: release.targets).content
        let snapshot = try Signed<Snapshot>(parsing: release.snapshot).content
        for root in release.roots { try put(root.bytes, "metadata/\(root.name)") }
        try put(release.timestamp, "metadata/timestamp.json")
        try put(release.snapshot, "metadata/\(snapshot.version).snapshot.json")
        try put(release.targets, "metadata/\(targets.version).targets.json")
        for file in targets.files { try put(release.files[file.path] ?? [], "targets/" + file.consistentPath) }
    }

    private func put(_ bytes: [UInt8], _ path: String) throws {
        let file = url.appendingPathComponent(path)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: file)
    }

    private func file(_ path: String) -> UpdateCycle.Answer {
        (try? Data(contentsOf: url.appendingPathComponent(path))).map { .bytes(Array($0)) } ?? .notFound
    }
}

public import Foundation

/// The built programs, run as their users run them.
public enum Programs {
    /// Where the programs lie: beside the test program, or in the folder that `REGISTRY_PROGRAMS` names, such as that
    /// of a release build.
    private static let folder =
        ProcessInfo.processInfo.environment["REGISTRY_PROGRAMS"].map { URL(fileURLWithPath: $0) }
        ?? URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()

    /// What a program that has ended left.
    public struct Result: Sendable {
        public var status: Int32
        public var output: String
        public var errors: String
    }

    /// Runs a program to its end.
    public static func run(_ program: String, _ arguments: [String], environment: [String: String] = [:]) async throws
        -> Result
    {
        try await withCheckedThrowingContinuation { continuation in
            // Reading pipes and waiting block: not for the cooperative pool.
            Thread { continuation.resume(with: Swift.Result { try runBlocking(program, arguments, environment) }) }
                .start()
        }
    }

    private static func runBlocking(
        _ program: String, _ arguments: [String], _ environment: [String: String]
    ) throws -> Result {
        let scratch = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try Data().write(to: scratch)
        defer { try? FileManager.default.removeItem(at: scratch) }
        let errors = try FileHandle(forWritingTo: scratch)
        let output = Pipe()
        let process = try make(program, arguments, environment)
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        let text = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return Result(
            status: process.terminationStatus, output: String(decoding: text, as: UTF8.self),
            errors: String(decoding: try Data(contentsOf: scratch), as: UTF8.self))
    }

    /// A program that has not been started yet, without the registry settings of whoever runs the tests.
    static func make(_ program: String, _ arguments: [String], _ environment: [String: String]) throws -> Process {
        let process = Process()
        // One of this package, or any other by its path.
        process.executableURL =
            program.hasPrefix("/") ? URL(fileURLWithPath: program) : folder.appendingPathComponent(program)
        process.arguments = arguments
        var inherited = ProcessInfo.processInfo.environment
        for name in ["DATABASE_URL", "REGISTRY_URL", "REGISTRY_TOKEN", "REGISTRY_TOKEN_FILE"] { inherited[name] = nil }
        process.environment = inherited.merging(environment) { $1 }
        return process
    }
}

/// A running program that writes its address to a file. It ends with this process, even when this one is killed.
public final class RunningProgram: Sendable {
    /// Where it answers, as `HOST:PORT`.
    public let address: String
    /// Its process id.
    public let pid: Int32
    private let ended: Task<Int32, Never>
    private let log: URL
    /// The program watches the other end.
    private let lifeline: FileHandle

    /// Starts a program and waits until it listens.
    public init(
        _ program: String, _ arguments: [String], environment: [String: String] = [:], folder: URL
    ) async throws {
        let file = folder.appendingPathComponent("\(program).address")
        try? FileManager.default.removeItem(at: file)
        log = folder.appendingPathComponent("\(program).log")
        if !FileManager.default.fileExists(atPath: log.path) { try Data().write(to: log) }
        let output = try FileHandle(forWritingTo: log)
        try output.seekToEnd()
        let process = try Programs.make(
            program, arguments + ["--exit-with-parent", "--address-file", file.path], environment)
        let pipe = Pipe()
        lifeline = pipe.fileHandleForWriting
        process.standardInput = pipe
        process.standardOutput = output
        process.standardError = output
        let exit = AsyncStream<Int32>.makeStream()
        process.terminationHandler = {
            exit.continuation.yield($0.terminationStatus)
            exit.continuation.finish()
        }
        try process.run()
        try pipe.fileHandleForReading.close()
        pid = process.processIdentifier
        ended = Task { await exit.stream.first { _ in true } ?? -1 }
        let deadline = ContinuousClock.now + .seconds(120)
        while !FileManager.default.fileExists(atPath: file.path) {
            guard process.isRunning, ContinuousClock.now < deadline else {
                kill(pid, SIGKILL)
                throw StartFailure(description: (try? String(contentsOf: log, encoding: .utf8)) ?? "no log")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        address = try String(contentsOf: file, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// A program that ended before it listened, with its log.
    public struct StartFailure: Error, CustomStringConvertible {
        public let description: String
    }

    /// What the program has logged.
    public var logged: String { (try? String(contentsOf: log, encoding: .utf8)) ?? "" }

    /// Sends a signal and waits for the end.
    @discardableResult
    public func end(_ signal: Int32 = SIGTERM) async -> Int32 {
        kill(pid, signal)
        return await ended.value
    }

    /// Leaves the program alone, as this process does when it ends, and waits for its end.
    public func abandon() async throws -> Int32 {
        try lifeline.close()
        return await ended.value
    }
}

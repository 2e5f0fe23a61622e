import Foundation
import Glibc
import Logging
import Postgres
import Synchronization
import Testing

/// A server of this test process: started with the first use, on a socket in a directory of its own under /tmp, and
/// stopped when the process ends, however it ends.
final class ScratchCluster: Sendable {
    static let shared = Result { try ScratchCluster() }

    let directory: String
    private let count = Atomic(0)
    private let admin: PostgresClient
    // The shell that watches the server lives as long as the other end of this pipe is open.
    private let lifeline: Pipe

    private init() throws {
        var template = Array("/tmp/pgtest-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw CocoaError(.fileWriteUnknown) }
        directory = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        var prefix: [String] = []
        if getuid() == 0, let user = getpwnam("postgres") {
            // postgres refuses to run as root.
            guard chown(directory, user.pointee.pw_uid, user.pointee.pw_gid) == 0 else {
                throw CocoaError(.fileWriteNoPermission)
            }
            prefix = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        }
        let binaries = try Self.run(["pg_config", "--bindir"]).trimmingCharacters(in: .whitespacesAndNewlines)
        let data = directory + "/data"
        _ = try Self.run(
            prefix + [
                "\(binaries)/initdb", "-D", data, "-U", "postgres", "-A", "trust", "-N", "--locale=C", "-E", "UTF8",
            ])
        let settings = [
            "listen_addresses=", "unix_socket_directories=\(directory)", "fsync=off", "synchronous_commit=off",
            "full_page_writes=off", "max_connections=200", "log_min_messages=panic",
        ].map { "-c \($0)" }.joined(separator: " ")
        let script = """
            \(binaries)/postgres -D \(data) \(settings) >/dev/null 2>&1 & pid=$!
            cat >/dev/null
            kill -QUIT $pid; wait $pid; rm -rf \(directory)
            """
        lifeline = Pipe()
        let shell = Self.process(prefix + ["sh", "-c", script])
        shell.standardInput = lifeline
        try shell.run()
        admin = PostgresClient(
            configuration: PostgresConfiguration(connectionString: "host=\(directory) user=postgres dbname=postgres"),
            logger: .silent)
        let ready = Self.process(["sh", "-c", "until \(binaries)/pg_isready -q -h \(directory); do sleep 0.02; done"])
        try ready.run()
        ready.waitUntilExit()
    }

    /// Runs `body` with a new database; its connection string is the argument.
    func withDatabase<R: Sendable>(_ body: (String) async throws -> R) async throws -> R {
        let name = "test\(count.add(1, ordering: .relaxed).newValue)"
        try await admin.execute("CREATE DATABASE \(identifier: name) TEMPLATE template0")
        let result: Result<R, any Error>
        do { result = .success(try await body("host=\(directory) user=postgres dbname=\(name)")) } catch {
            result = .failure(error)
        }
        try await admin.execute("DROP DATABASE \(identifier: name) WITH (FORCE)")
        return try result.get()
    }

    private static func process(_ arguments: [String]) -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: "/")
        return process
    }

    private static func run(_ arguments: [String]) throws -> String {
        let process = process(arguments)
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw CocoaError(.executableLoad) }
        return String(decoding: data, as: UTF8.self)
    }
}

/// Runs `body` with a client of a new database, and shuts it down.
func withClient<R: Sendable>(
    _ change: (inout PostgresConfiguration) -> Void = { _ in }, _ body: (PostgresClient) async throws -> R
) async throws -> R {
    let cluster = try ScratchCluster.shared.get()
    return try await cluster.withDatabase { connectionString in
        var configuration = PostgresConfiguration(connectionString: connectionString)
        change(&configuration)
        return try await PostgresClient.withClient(configuration: configuration, logger: .silent, body)
    }
}

/// Asks the server until `condition` holds: for what happens in another connection.
func until(_ client: PostgresClient, _ condition: SQL) async throws {
    while try await client.query("SELECT \(condition)")[0].decode(Bool.self) == false { await Task.yield() }
}

/// The same on one connection.
func until(_ connection: Connection, _ condition: SQL) async throws {
    while try await connection.query("SELECT \(condition)")[0].decode(Bool.self) == false { await Task.yield() }
}

extension Logger {
    static let silent = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
}

/// Expects that `body` throws an error of this SQLSTATE or its family; another error is thrown on.
func expect(
    _ state: SQLState, sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> some Any
) async throws {
    do {
        _ = try await body()
        Issue.record("no error", sourceLocation: sourceLocation)
    } catch state {
    }
}

/// Expects that `body` throws an error with this code; another error is thrown on.
func expect(
    _ code: PostgresError.Code, sourceLocation: SourceLocation = #_sourceLocation, _ body: () async throws -> some Any
) async throws {
    do {
        _ = try await body()
        Issue.record("no error", sourceLocation: sourceLocation)
    } catch code {
    }
}

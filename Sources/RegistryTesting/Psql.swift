import Foundation

/// Postgres's own client, as a process: independent of the client that is being tested.
public enum Psql {
    /// What `psql` wrote to its standard error when a statement failed.
    public struct Failure: Error, CustomStringConvertible {
        /// The text, with the statement.
        public let description: String
    }

    /// Runs one statement outside a transaction and returns the rows, unaligned, one a line.
    @discardableResult
    public static func run(_ statement: String, on connectionString: String) async throws -> String {
        try await withCheckedThrowingContinuation { continuation in
            // A thread of its own: the statement may wait for what the other tasks do.
            Thread.detachNewThread {
                continuation.resume(with: Result { try runBlocking(statement, on: connectionString) })
            }
        }
    }

    private static func runBlocking(_ statement: String, on connectionString: String) throws -> String {
        let process = Process()
        let output = Pipe()
        let errors = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", connectionString, "-c", statement]
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        let rows = try output.fileHandleForReading.readToEnd() ?? Data()
        let complaint = try errors.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw Failure(description: "\(String(decoding: complaint, as: UTF8.self)) in: \(statement)")
        }
        return String(decoding: rows, as: UTF8.self).trimmingCharacters(in: .newlines)
    }
}

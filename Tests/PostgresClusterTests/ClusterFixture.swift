import Foundation
import Logging
import RegistryTesting
import Testing

@testable import PostgresCluster

/// A directory for one cluster, with short ways to start and ask it.
struct ClusterFixture {
    let directory: String
    var data: String { "\(directory)/data" }

    /// Runs `body` with a directory that does not exist yet, and ends what was left running there.
    static func with(_ name: String = "cluster", _ body: (ClusterFixture) async throws -> Void) async throws {
        try await ScratchDirectory.with { scratch in
            let fixture = ClusterFixture(directory: "\(scratch.path)/\(name)")
            do {
                try await body(fixture)
            } catch {
                try await fixture.processes.stop(patience: .seconds(5))
                throw error
            }
            #expect(fixture.processes.running() == [])
        }
    }

    var processes: ServerProcesses { ServerProcesses(directory: data, token: "none") }

    func start(_ change: (inout PostgresCluster.Configuration) -> Void = { _ in }) async throws -> RunningCluster {
        var configuration = PostgresCluster.Configuration(directory: directory)
        configuration.durable = false
        change(&configuration)
        return try await PostgresCluster.start(configuration, logger: Logger(label: "test"))
    }

    /// The error that the start ends with.
    func startError(
        _ change: (inout PostgresCluster.Configuration) -> Void = { _ in },
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> PostgresClusterError {
        try await #require(throws: PostgresClusterError.self, sourceLocation: sourceLocation) {
            try await start(change).stop()
        }
    }

    func contents() -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).sorted()
    }

    func write(_ text: String, to path: String) throws {
        let file = URL(fileURLWithPath: "\(directory)/\(path)")
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try text.write(to: file, atomically: false, encoding: .utf8)
    }
}

extension RunningCluster {
    @discardableResult
    nonisolated func ask(_ statement: String) async throws -> String {
        try await Psql.run(statement, on: connectionString)
    }
}

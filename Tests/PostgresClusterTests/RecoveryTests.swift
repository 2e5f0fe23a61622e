import Foundation
import RegistryTesting
import Testing

@testable import PostgresCluster

@Suite struct RecoveryTests {
    @Test func refusesASecondDaemonAndNamesTheFirst() async throws {
        try await ClusterFixture.with { fixture in
            let cluster = try await fixture.start()
            let error = try await fixture.startError()
            #expect(error.code == .directoryInUse)
            #expect(error.message.contains("(pid \(getpid()))") && error.message.contains(fixture.directory))
            #expect(try await cluster.ask("SELECT 1") == "1")
            try await cluster.stop()
        }
    }

    @Test func takesOverFromAKilledDaemon() async throws {
        try await ClusterFixture.with { fixture in
            let first = try await fixture.start()
            try await first.ask("CREATE TABLE kept AS SELECT 42 AS value")
            await first.abandon()

            let second = try await fixture.start()
            #expect(!first.process.isRunning && first.process.terminationReason == .exit)
            #expect(try await second.ask("SELECT value FROM kept") == "42")
            try await second.stop()
        }
    }

    @Test func recoversAfterPostgresWasKilled() async throws {
        try await ClusterFixture.with { fixture in
            let first = try await fixture.start { $0.durable = true }
            try await first.ask("CREATE TABLE kept AS SELECT 42 AS value")
            await first.abandon()
            kill(first.process.processIdentifier, SIGKILL)

            let second = try await fixture.start { $0.durable = true }
            #expect(try await second.ask("SELECT value FROM kept") == "42")
            try await second.stop()
        }
    }

    @Test func survivesAPidFileWhosePidIsSomethingElseNow() async throws {
        try await ClusterFixture.with { fixture in
            try await fixture.start().stop()
            // Of Postgres's own account: one that it may not signal it takes for stale itself.
            let other = try ServerAccount.current(unprivileged: "postgres").command("/bin/sleep", ["600"]).start()
            defer { kill(other.processIdentifier, SIGKILL) }
            try fixture.write("\(other.processIdentifier)\n\(fixture.data)\n1\n5432\n\n\n\n", to: "data/postmaster.pid")

            let cluster = try await fixture.start()
            #expect(try await cluster.ask("SELECT 1") == "1")
            #expect(other.isRunning)
            try await cluster.stop()
        }
    }

    @Test func redoesAnInitdbThatAKilledDaemonLeftRunning() async throws {
        try await ClusterFixture.with { fixture in
            let account = try ServerAccount.current(unprivileged: "postgres")
            let binaries = try ServerBinaries.find(in: nil, dataVersion: nil)
            let unfinished = "\(fixture.directory)/data.new"
            try fixture.write("", to: "data.new/x")
            chmod(fixture.directory, 0o711)
            unlink("\(unfinished)/x")
            try account.own(unfinished)
            _ = try account.command(
                binaries.path("initdb"), ["--pgdata=\(unfinished)"], directory: unfinished
            ).start()
            while !FileManager.default.fileExists(atPath: "\(unfinished)/PG_VERSION") { await pause() }

            let cluster = try await fixture.start()
            #expect(fixture.contents() == ["data", "lock", "postgres.log", "socket"])
            #expect(try await cluster.ask("SELECT 1") == "1")
            try await cluster.stop()
        }
    }

    @Test func aCancelledStartLeavesNothing() async throws {
        try await ClusterFixture.with { fixture in
            let start = Task { try await fixture.start() }
            while !FileManager.default.fileExists(atPath: "\(fixture.directory)/data.new/PG_VERSION") { await pause() }
            start.cancel()
            await #expect(throws: CancellationError.self) { try await start.value }
            #expect(!FileManager.default.fileExists(atPath: fixture.directory))
        }
    }
}

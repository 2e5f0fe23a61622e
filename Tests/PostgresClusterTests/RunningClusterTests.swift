import Foundation
import RegistryTesting
import Testing

@testable import PostgresCluster

@Suite struct RunningClusterTests {
    @Test func keepsDataAcrossRestarts() async throws {
        try await ClusterFixture.with { fixture in
            let first = try await fixture.start { $0.durable = true }
            try await first.ask("CREATE TABLE words AS SELECT * FROM (VALUES ('b'), ('B'), ('ä'), ('a')) AS w(word)")
            try await first.stop()
            #expect(fixture.contents() == ["data", "postgres.log"])

            let second = try await fixture.start()
            #expect(try await second.ask("SELECT string_agg(word, ' ' ORDER BY word) FROM words") == "B a b ä")
            try await second.stop()
        }
    }

    @Test func listensOnAPrivateSocketOnly() async throws {
        try await ClusterFixture.with { fixture in
            let cluster = try await fixture.start { $0.maximumConnections = 17 }
            let settings = ["listen_addresses", "data_checksums", "server_encoding", "max_connections", "fsync"]
            let values = settings.map { "current_setting('\($0)')" }.joined(separator: ", ")
            #expect(try await cluster.ask("SELECT \(values)") == "|on|UTF8|17|off")
            let superuser = "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
            #expect(try await cluster.ask(superuser) == "f")
            var status = stat()
            #expect(stat(cluster.directory.socket, &status) == 0 && status.st_mode & 0o777 == 0o700)
            try await cluster.stop()
        }
    }

    @Test(arguments: [
        "it's \"quoted\" \\ path", "comma, path", String(repeating: "long", count: 30), "ends at the limit",
    ])
    func reachesEveryPath(name: String) async throws {
        // 107 bytes with the longest name that fits; the scratch directory's own length is part of it.
        let socket = "/socket/.s.PGSQL.5432"
        let room = ClusterDirectory.longestSocketPath - "/tmp/registry-test-XXXXXX/".utf8.count - socket.utf8.count
        let name = name == "ends at the limit" ? String(repeating: "x", count: room) : name
        try await ClusterFixture.with(name) { fixture in
            let cluster = try await fixture.start()
            #expect(try await cluster.ask("SELECT current_user") == "registry")
            let isBeside = cluster.directory.socket == "\(fixture.directory)/socket"
            #expect(isBeside == (!name.contains(",") && name.utf8.count <= room))
            let path = cluster.directory.socket
            try await cluster.stop()
            #expect(!FileManager.default.fileExists(atPath: path))
        }
    }

    @Test func stopsOnceHoweverOftenItIsAsked() async throws {
        try await ClusterFixture.with { fixture in
            let cluster = try await fixture.start()
            async let one: Void = cluster.stop()
            async let two: Void = cluster.stop()
            _ = try await (one, two)
            try await cluster.stop()
            #expect(!cluster.process.isRunning)
        }
    }

    @Test func stopsInACancelledTaskAndCutsClientsOff() async throws {
        try await ClusterFixture.with { fixture in
            let cluster = try await fixture.start()
            let sleeper = Task { try await cluster.ask("SELECT pg_sleep(600)") }
            let sleepers = "SELECT count(*) FROM pg_stat_activity WHERE query ~ '^SELECT pg_sleep'"
            while try await cluster.ask(sleepers) == "0" {}
            await withTaskGroup { group in
                group.addTask { await #expect(throws: Never.self) { try await cluster.stop() } }
                group.cancelAll()
            }
            await #expect(throws: Psql.Failure.self) { try await sleeper.value }
            #expect(!cluster.process.isRunning)
        }
    }

    @Test func tellsWhenPostgresEndsByItself() async throws {
        try await ClusterFixture.with { fixture in
            let cluster = try await fixture.start()
            kill(cluster.process.processIdentifier, SIGKILL)
            let error = await #expect(throws: PostgresClusterError.self) { try await cluster.waitForExit() }
            #expect(error?.code == .serverExited)
            try await cluster.stop()
        }
    }

    @Test func watchingReturnsAfterAStop() async throws {
        try await ClusterFixture.with { fixture in
            let cluster = try await fixture.start()
            async let watch: Void = cluster.waitForExit()
            try await cluster.stop()
            try await watch
        }
    }
}

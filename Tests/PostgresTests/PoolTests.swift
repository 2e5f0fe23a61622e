import Foundation
import Logging
import ServiceLifecycle
import Synchronization
import Testing

@testable import Postgres

struct PoolTests {
    private final class Order: Sendable {
        private let list = Mutex<[Int]>([])
        var numbers: [Int] { list.withLock { $0 } }
        func append(_ number: Int) { list.withLock { $0.append(number) } }
    }

    @Test func waitingTasksAreServedInOrder() async throws {
        try await withClient {
            $0.maximumConnections = 1
        } _: { client in
            let order = Order()
            try await withThrowingTaskGroup { group in
                try await client.withConnection { _ in
                    for number in 0..<10 {
                        group.addTask {
                            try await client.withConnection { _ in order.append(number) }
                        }
                        while await client.waiting == number { await Task.yield() }
                    }
                }
                try await group.waitForAll()
            }
            #expect(order.numbers == Array(0..<10))
        }
    }

    @Test func anExhaustedPoolSaysSoInTime() async throws {
        try await withClient {
            $0.maximumConnections = 2
            $0.acquireTimeout = .milliseconds(50)
        } _: { client in
            try await client.withConnection { _ in
                try await client.withConnection { _ in
                    try await expect(PostgresError.Code.poolExhausted) { try await client.query("SELECT 1") }
                    let waiting = Task { try await client.query("SELECT 1") }
                    waiting.cancel()
                    try await expect(PostgresError.Code.cancelled) { try await waiting.value }
                }
                #expect(try await client.query("SELECT 1").count == 1)
            }
        }
    }

    @Test func manyTasksShareFewConnections() async throws {
        try await withClient {
            $0.maximumConnections = 4
        } _: { client in
            let sum = try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<200 {
                    group.addTask {
                        try await client.transaction { connection in
                            try await connection.query("SELECT \(number)")[0].decode(Int.self)
                        }
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(sum == 199 * 100)
            let connections: SQL = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            #expect(try await client.query(connections)[0].decode(Int.self) == 4)
        }
    }

    @Test func aConnectionIsForOneTaskAndOneLease() async throws {
        try await withClient { client in
            let kept = try await client.withConnection { connection in
                let codes = await withTaskGroup(of: PostgresError.Code?.self) { group in
                    for _ in 0..<2 {
                        group.addTask {
                            do { _ = try await connection.query("SELECT pg_sleep(0.05)") } catch {
                                return (error as? PostgresError)?.code
                            }
                            return nil
                        }
                    }
                    return await group.reduce(into: []) { $0.append($1) }
                }
                #expect(Set(codes) == [nil, .misuse])
                return connection
            }
            try await expect(PostgresError.Code.misuse) { try await kept.query("SELECT 1") }
        }
    }

    @Test func idleConnectionsAreClosedAfterAWhile() async throws {
        try await withClient {
            $0.idleTimeout = .milliseconds(1)
        } _: { client in
            let before = try await client.query("SELECT pg_backend_pid()")[0].decode(Int.self)
            while await client.connections > 0 { await Task.yield() }
            #expect(try await client.query("SELECT pg_backend_pid()")[0].decode(Int.self) != before)
        }
    }

    @Test func shutdownLeavesNoThreadAndNoConnection() async throws {
        let cluster = try ScratchCluster.shared.get()
        try await cluster.withDatabase { connectionString in
            var configuration = PostgresConfiguration(connectionString: connectionString)
            configuration.applicationName = "leavesNone"
            let client = PostgresClient(configuration: configuration, logger: .silent)
            let watcher = PostgresClient(
                configuration: PostgresConfiguration(connectionString: connectionString), logger: .silent)
            let listening = Task { () -> [Postgres.Notification] in
                var all: [Postgres.Notification] = []
                for try await notification in client.listen("c") { all.append(notification) }
                return all
            }
            let mine: SQL = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'leavesNone'"
            try await client.withConnection { _ in _ = try await client.query("SELECT 1") }
            await #expect(throws: PostgresError.self) {
                try await client.withConnection { try await $0.query("SELECT pg_sleep(9)", timeout: .milliseconds(1)) }
            }
            try await until(watcher, "(\(mine)) = 3")
            #expect(try threads(named: "pg-leavesNone") == 1)
            let service = Task { try await client.run() }
            service.cancel()
            try await service.value
            await client.shutdown()
            #expect(try threads(named: "pg-leavesNone") == 0)
            #expect(try await listening.value == [.subscribed])
            try await until(watcher, "(\(mine)) = 0")
            try await expect(PostgresError.Code.shutDown) { try await client.query("SELECT 1") }
            await watcher.shutdown()
        }
    }

    @Test func aClientEndsWithItsScope() async throws {
        struct Broken: Error {}
        let cluster = try ScratchCluster.shared.get()
        try await cluster.withDatabase { connectionString in
            var configuration = PostgresConfiguration(connectionString: connectionString)
            configuration.applicationName = "scoped"
            var kept: PostgresClient?
            for fails in [false, true] {
                do {
                    let one = try await PostgresClient.withClient(configuration: configuration, logger: .silent) {
                        kept = $0
                        let one = try await $0.query("SELECT 1")[0].decode(Int.self)
                        if fails { throw Broken() }
                        return one
                    }
                    #expect(one == 1)
                    #expect(!fails)
                } catch is Broken {
                    #expect(fails)
                }
                #expect(try threads(named: "pg-scoped") == 0)
                let client = try #require(kept)
                try await expect(PostgresError.Code.shutDown) { try await client.query("SELECT 1") }
            }
        }
    }

    @Test func shutdownInterruptsWhatDoesNotEnd() async throws {
        try await withClient {
            $0.shutdownTimeout = .milliseconds(50)
        } _: { client in
            async let stuck: Void = {
                try await expect(PostgresError.Code.shutDown) { try await client.query("SELECT pg_sleep(60)") }
            }()
            while await client.connections == 0 { await Task.yield() }
            await client.shutdown()
            try await stuck
        }
    }

    private func threads(named name: String) throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count { task in
            (try? String(contentsOfFile: "/proc/self/task/\(task)/comm", encoding: .utf8)) == name + "\n"
        }
    }
}

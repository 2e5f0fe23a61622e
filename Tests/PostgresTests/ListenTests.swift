import Testing

@testable import Postgres

struct ListenTests {
    /// The connections of `listen` in this test's database.
    private static let listeners: SQL = """
        SELECT pid FROM pg_stat_activity
        WHERE datname = current_database() AND query LIKE 'LISTEN%' AND state = 'idle'
        """

    @Test func notificationsArriveAndTheConnectionIsReplaced() async throws {
        try await withClient { client in
            var stream = client.listen("Weird \"channel").makeAsyncIterator()
            #expect(try await stream.next() == .subscribed)
            for number in 0..<3 {
                _ = try await client.query("SELECT pg_notify('Weird \"channel', \("n\(number)"))::text")
            }
            for number in 0..<3 { #expect(try await stream.next() == .message(payload: "n\(number)")) }
            _ = try await client.query("SELECT pg_terminate_backend(pid) FROM (\(Self.listeners)) AS listener")
            #expect(try await stream.next() == .reconnected)
            try await client.transaction { try await $0.execute("NOTIFY \(identifier: "Weird \"channel")") }
            #expect(try await stream.next() == .message(payload: ""))
        }
    }

    @Test func aCancelledTaskEndsItsStream() async throws {
        try await withClient { client in
            let listening = Task {
                var count = 0
                for try await _ in client.listen("c") { count += 1 }
                return count
            }
            try await until(client, "EXISTS (\(Self.listeners))")
            listening.cancel()
            #expect(try await listening.value == 1)
            try await until(client, "NOT EXISTS (\(Self.listeners))")
        }
    }

    @Test func aStreamNeedsAServerAtFirst() async throws {
        let client = PostgresClient(
            configuration: PostgresConfiguration(connectionString: "/nonexistent"), logger: .silent)
        await #expect(throws: PostgresError.self) { for try await _ in client.listen("c") {} }
        await client.shutdown()
    }
}

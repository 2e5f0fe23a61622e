import Testing

@testable import Postgres

/// Deadlines, cancellation, broken connections.
struct InterruptionTests {
    /// The backends that wait for an advisory lock of this test's database.
    private static let blocked: SQL = """
        SELECT pid FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
        WHERE NOT granted AND locktype = 'advisory' AND datname = current_database()
        """
    private static let backend: SQL = "SELECT pg_backend_pid()"

    @Test func aStatementThatTakesTooLongIsCancelledAndTheConnectionKept() async throws {
        try await withClient {
            $0.maximumConnections = 1
        } _: { client in
            let before = try await client.query(Self.backend)[0].decode(Int.self)
            try await client.withConnection { connection in
                try await expect(PostgresError.Code.timeout) {
                    try await connection.query("SELECT pg_sleep(60)", timeout: .milliseconds(50))
                }
                try await expect(PostgresError.Code.timeout) {
                    try await connection.script("SELECT pg_sleep(60)", timeout: .milliseconds(50))
                }
            }
            #expect(try await client.query(Self.backend)[0].decode(Int.self) == before)
        }
    }

    @Test func cancellingTheTaskCancelsTheStatementAndRollsBack() async throws {
        try await withClient { client in
            try await client.execute("CREATE TABLE t (a int)")
            try await client.withConnection { holder in
                _ = try await holder.query("SELECT pg_advisory_lock(1)::text")
                let error = await withTaskGroup(of: (any Error)?.self) { group in
                    group.addTask {
                        do {
                            try await client.transaction { connection in
                                try await connection.execute("INSERT INTO t VALUES (1)")
                                _ = try await connection.query("SELECT pg_advisory_lock(1)::text")
                            }
                            return nil
                        } catch {
                            return error
                        }
                    }
                    try? await until(client, "EXISTS (\(Self.blocked))")
                    group.cancelAll()
                    return await group.next() ?? nil
                }
                #expect(error.map { PostgresError.Code.cancelled ~= $0 } == true)
                #expect(try await holder.query("SELECT pg_advisory_unlock(1)")[0].decode(Bool.self))
            }
            #expect(try await client.query("SELECT count(*) FROM t")[0].decode(Int.self) == 0)
            let stuck: SQL =
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE '%trans%'"
            #expect(try await client.query(stuck)[0].decode(Int.self) == 0)
        }
    }

    @Test func aCancelledTaskGetsNoConnectionAndNoStatement() async throws {
        try await withClient { client in
            let task = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                return try await client.query("SELECT 1")
            }
            try await expect(PostgresError.Code.cancelled) { try await task.value }
        }
    }

    @Test func aKilledBackendIsReplaced() async throws {
        try await withClient {
            $0.maximumConnections = 2
        } _: { client in
            let (victim, application) = try await client.withConnection { connection in
                // The parked one is killed while this one is leased, so that the pool has both kinds.
                let pid = try await client.query(Self.backend)[0].decode(Int.self)
                _ = try await connection.query("SELECT pg_terminate_backend(\(pid)::int)")
                try await until(connection, "NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = \(pid))")
                return (pid, try await connection.query(Self.backend)[0].decode(Int.self))
            }
            #expect(victim != application)
            for _ in 0..<4 {
                #expect(try await client.query(Self.backend)[0].decode(Int.self) != victim)
            }
        }
    }

    @Test func aBackendKilledDuringAStatementIsALossAndReplaced() async throws {
        try await withClient { client in
            try await client.withConnection { holder in
                _ = try await holder.query("SELECT pg_advisory_lock(1)::text")
                async let lost: Void = {
                    try await expect(PostgresError.Code.connectionLost) {
                        try await client.query("SELECT pg_advisory_lock(1)::text")
                    }
                }()
                try await until(client, "EXISTS (\(Self.blocked))")
                _ = try await holder.query("SELECT pg_terminate_backend(pid) FROM (\(Self.blocked)) AS blocked")
                try await lost
            }
            #expect(try await client.query("SELECT 1")[0].decode(Int.self) == 1)
        }
    }

    @Test func nothingReachableIsSaidWithinTheConnectTimeout() async throws {
        let nowhere = PostgresConfiguration(connectionString: "host=/nonexistent password=secret dbname=x")
        let client = PostgresClient(configuration: nowhere, logger: .silent)
        let error = await #expect(throws: PostgresError.self) { try await client.query("SELECT 1") }
        #expect(error?.code == .connectionFailed)
        #expect(error?.description == "Cannot connect to the database: No such file or directory.")
        await client.shutdown()
    }

    @Test(arguments: [
        "postgres://u:se/cret@localhost/db", "postgres://u:p@secret@localhost/db", "host=a secret",
        "postgres://h:secret/db",
    ])
    func connectionStringsNeverShow(connectionString: String) async throws {
        var configuration = PostgresConfiguration(connectionString: connectionString)
        configuration.connectTimeout = .seconds(5)
        var dumped = ""
        dump(configuration, to: &dumped)
        let client = PostgresClient(configuration: configuration, logger: .silent)
        let error = await #expect(throws: PostgresError.self) { try await client.query("SELECT 1") }
        await client.shutdown()
        for text in [dumped, "\(configuration)", error?.description ?? ""] {
            #expect(!text.contains("se") || !text.contains("cret"), "\(text)")
        }
        #expect(error?.code == .invalidConfiguration)
    }
}

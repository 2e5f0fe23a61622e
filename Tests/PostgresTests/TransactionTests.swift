import Testing

@testable import Postgres

struct TransactionTests {
    private struct Refusal: Error {}

    private func withTable<R: Sendable>(_ body: (PostgresClient) async throws -> R) async throws -> R {
        try await withClient { client in
            try await client.execute("CREATE TABLE t (a bigint CONSTRAINT t_key PRIMARY KEY)")
            return try await body(client)
        }
    }

    private func rows(_ client: PostgresClient) async throws -> [Int] {
        try await client.query("SELECT a FROM t ORDER BY a").map { try $0.decode(Int.self) }
    }

    @Test func commitsWhatReturnsAndRollsBackWhatThrows() async throws {
        try await withTable { client in
            let result = try await client.transaction { connection in
                try await connection.execute("INSERT INTO t VALUES (1)")
                return "done"
            }
            #expect(result == "done")
            await #expect(throws: Refusal.self) {
                try await client.transaction { connection in
                    try await connection.execute("INSERT INTO t VALUES (2)")
                    throw Refusal()
                }
            }
            try await client.transaction { _ in }
            #expect(try await rows(client) == [1])
        }
    }

    @Test func aFailedStatementThatIsSwallowedStillFailsTheCommit() async throws {
        try await withTable { client in
            try await expect(SQLState.inFailedTransaction) {
                try await client.transaction { connection in
                    try await connection.execute("INSERT INTO t VALUES (1)")
                    _ = try? await connection.execute("INSERT INTO t VALUES (1)")
                    try await expect(SQLState.inFailedTransaction) { try await connection.execute("SELECT 1") }
                }
            }
            #expect(try await rows(client) == [])
        }
    }

    @Test func savepointsUndoOnlyThemselves() async throws {
        try await withTable { client in
            try await client.transaction { connection in
                try await connection.execute("INSERT INTO t VALUES (1)")
                try await expect(SQLState.uniqueViolation) {
                    try await connection.savepoint { inner in
                        try await inner.execute("INSERT INTO t VALUES (2)")
                        try await inner.savepoint { try await $0.execute("INSERT INTO t VALUES (3)") }
                        try await inner.execute("INSERT INTO t VALUES (1)")
                    }
                }
                try await connection.savepoint { try await $0.execute("INSERT INTO t VALUES (4)") }
            }
            #expect(try await rows(client) == [1, 4])
        }
    }

    @Test func violationsMatchByCodeAndFamily() async throws {
        try await withTable { client in
            try await client.execute("INSERT INTO t VALUES (1)")
            do {
                try await client.execute("INSERT INTO t VALUES (\(1))")
                Issue.record("stored a duplicate")
            } catch SQLState.foreignKeyViolation {
                Issue.record("matched another code of the family")
            } catch SQLState.uniqueViolation {
            }
            do {
                try await client.execute("INSERT INTO t VALUES (\(1))")
            } catch SQLState.dataException {
                Issue.record("matched another family")
            } catch SQLState.integrityConstraintViolation {
            }
            let error = await #expect(throws: PostgresError.self) {
                try await client.execute("INSERT INTO t VALUES (\(1))")
            }
            #expect(error?.constraintName == "t_key")
            #expect(error?.tableName == "t")
            #expect(error?.code == .server(.uniqueViolation))
        }
    }

    @Test func serializableTransactionsThatCollideFail() async throws {
        try await withTable { client in
            try await expect(SQLState.serializationFailure) {
                try await client.transaction(isolation: .serializable) { first in
                    _ = try await first.query("SELECT count(*) FROM t")
                    try await client.transaction(isolation: .serializable) { second in
                        _ = try await second.query("SELECT count(*) FROM t")
                        try await second.execute("INSERT INTO t VALUES (1)")
                    }
                    try await first.execute("INSERT INTO t VALUES (2)")
                }
            }
            #expect(try await rows(client) == [1])
        }
    }

    @Test func readOnlyTransactionsRefuseWrites() async throws {
        try await withTable { client in
            try await expect(SQLState.readOnlyTransaction) {
                try await client.transaction(readOnly: true) { try await $0.execute("INSERT INTO t VALUES (1)") }
            }
        }
    }

    @Test func oneConnectionRunsSeveralTransactions() async throws {
        try await withTable { client in
            try await client.withConnection { connection in
                try await connection.transaction { try await $0.execute("INSERT INTO t VALUES (1)") }
                await #expect(throws: Refusal.self) {
                    try await connection.transaction { inner in
                        try await inner.execute("INSERT INTO t VALUES (2)")
                        throw Refusal()
                    }
                }
                try await connection.execute("INSERT INTO t VALUES (3)")
            }
            #expect(try await rows(client) == [1, 3])
        }
    }

    @Test func aTransactionLeftOpenIsRolledBack() async throws {
        try await withTable { client in
            try await client.withConnection { connection in
                try await connection.execute("BEGIN")
                try await connection.execute("INSERT INTO t VALUES (1)")
            }
            #expect(try await rows(client) == [])
        }
    }

    @Test func aTransactionEndedInsideItsClosureIsAnError() async throws {
        try await withTable { client in
            let error = await #expect(throws: PostgresError.self) {
                try await client.transaction { try await $0.execute("ROLLBACK") }
            }
            #expect(error?.code == .misuse)
        }
    }
}

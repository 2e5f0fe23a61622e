import Testing

@testable import Postgres

struct CopyTests {
    private struct Refusal: Error {}

    private func withTable<R: Sendable>(_ body: (PostgresClient, Connection) async throws -> R) async throws -> R {
        try await withClient { client in
            try await client.execute("CREATE TABLE t (a bigint PRIMARY KEY, b text, c bytea)")
            return try await client.withConnection { try await body(client, $0) }
        }
    }

    private static let copyIn = "COPY t (a, b, c) FROM STDIN (FORMAT binary)"
    private static let copyOut = "COPY (SELECT a, b, c FROM t ORDER BY a) TO STDOUT (FORMAT binary)"

    @Test func aHundredThousandRowsGoInAndComeOut() async throws {
        try await withTable { _, connection in
            let count = 100_000
            let stored = try await connection.copyIn(Self.copyIn) { writer in
                for number in 0..<count {
                    try await writer.row(
                        number, number % 7 == 0 ? nil : "row \(number)", [UInt8(truncatingIfNeeded: number)])
                }
            }
            #expect(stored == count)
            var next = 0
            var wrong = 0
            for try await row in connection.copyOut(Self.copyOut) {
                let (a, b, c) = try row.decode(Int.self, String?.self, [UInt8].self)
                if a != next || b != (next % 7 == 0 ? nil : "row \(next)") || c != [UInt8(truncatingIfNeeded: next)] {
                    wrong += 1
                }
                next += 1
            }
            #expect(next == count)
            #expect(wrong == 0)
            #expect(try await connection.query("SELECT count(*) FROM t")[0].decode(Int.self) == count)
        }
    }

    @Test func noRowsAreRowsToo() async throws {
        try await withTable { _, connection in
            #expect(try await connection.copyIn(Self.copyIn) { _ in } == 0)
            for try await _ in connection.copyOut(Self.copyOut) { Issue.record("a row of an empty table") }
            #expect(try await connection.query("SELECT 1").count == 1)
        }
    }

    @Test func aWriterThatThrowsStoresNothing() async throws {
        try await withTable { _, connection in
            await #expect(throws: Refusal.self) {
                try await connection.copyIn(Self.copyIn) { writer in
                    for number in 0..<20_000 { try await writer.row(number, "x", [0]) }
                    throw Refusal()
                }
            }
            let stored = try await connection.query("SELECT count(*) FROM t")[0].decode(Int.self)
            #expect(stored == 0)
        }
    }

    @Test func aRowThatTheServerRefusesFailsTheCopy() async throws {
        try await withTable { _, connection in
            try await expect(SQLState.uniqueViolation) {
                try await connection.copyIn(Self.copyIn) { writer in
                    for number in 0..<200_000 { try await writer.row(number / 2, "x", [0]) }
                }
            }
            try await expect(PostgresError.Code.misuse) {
                try await connection.copyIn(Self.copyIn) { try await $0.row(1, "one value is missing") }
            }
            try await expect(SQLState.connectionException) {
                try await connection.copyIn(Self.copyIn) { try await $0.row(Int32(1), "x", [0]) }
            }
            let stored = try await connection.query("SELECT count(*) FROM t")[0].decode(Int.self)
            #expect(stored == 0)
        }
    }

    @Test func aReaderThatStopsEarlyFreesTheConnection() async throws {
        try await withTable { _, connection in
            for try await row in connection.copyOut(
                "COPY (SELECT generate_series(1, 5000000)) TO STDOUT (FORMAT binary)")
            {
                let number = try row.decode(Int.self)
                if number == 3 {
                    try await expect(PostgresError.Code.misuse) { try await connection.query("SELECT 1") }
                }
                if number == 10 { break }
            }
            #expect(try await connection.query("SELECT 1").count == 1)
        }
    }

    @Test func aCopyRunsInItsTransaction() async throws {
        try await withTable { client, _ in
            await #expect(throws: Refusal.self) {
                try await client.transaction { connection in
                    try await connection.copyIn(Self.copyIn) { try await $0.row(1, "x", [0]) }
                    throw Refusal()
                }
            }
            let stored = try await client.query("SELECT count(*) FROM t")[0].decode(Int.self)
            #expect(stored == 0)
        }
    }

    @Test(arguments: [
        "COPY t TO STDOUT (FORMAT binary)", "COPY t FROM STDIN", "SELECT 1", "COPY nothing FROM STDIN (FORMAT binary)",
    ])
    func aWrongStatementIsRefused(sql: String) async throws {
        try await withTable { client, connection in
            await #expect(throws: PostgresError.self) { try await connection.copyIn(sql) { _ in } }
            _ = try await client.query("SELECT 1")
        }
    }

    @Test func aCopyRunAsAQueryIsRefused() async throws {
        try await withTable { client, _ in
            await #expect(throws: PostgresError.self) { try await client.query("COPY t FROM STDIN") }
            await #expect(throws: PostgresError.self) { try await client.query("COPY t TO STDOUT") }
            _ = try await client.query("SELECT 1")
        }
    }
}

import Foundation
import Testing

@testable import Postgres

struct StatementTests {
    @Test func parametersOfEveryTypeComeBack() async throws {
        try await withClient { client in
            func same<T: PostgresEncodable & PostgresDecodable & Equatable>(_ value: T) async throws {
                let rows = try await client.query("SELECT \(value), \(T?.none), \(T?.some(value))")
                let (back, none, some) = try rows[0].decode(T.self, T?.self, T?.self)
                #expect(back == value)
                #expect(none == nil)
                #expect(some == value)
                #expect(throws: PostgresError.self) { try rows[0].decode(1, as: T.self) }
            }
            let long = String(repeating: "x", count: 100_000)
            for text in ["", "a", "Grüße 🐘 '\"$1\\", long] { try await same(text) }
            for number in [0, 1, -1, Int.max, .min] { try await same(number) }
            for number in [Int64.max, .min] { try await same(number) }
            for number in [Int32.max, .min] { try await same(number) }
            for number in [Int16.max, .min] { try await same(number) }
            for flag in [true, false] { try await same(flag) }
            for number in [0.1, -.infinity, .greatestFiniteMagnitude, .leastNonzeroMagnitude] { try await same(number) }
            for number in [Float(0.1), .infinity, .leastNonzeroMagnitude] { try await same(number) }
            try await same(UUID())
            for seconds in [0, 0.25, -1_000_000_000, 1_700_000_000.125] {
                try await same(Date(timeIntervalSince1970: seconds))
            }
            try await same(Date.distantFuture)
            for bytes in [[], [0], Array(0...255)] as [[UInt8]] {
                try await same(bytes)
                try await same(Data(bytes))
            }
            try await same(JSON(bytes: Array(#"{"a": [1, null]}"#.utf8)))
            for array in [[], ["a"], ["", "b,\"", "ü"]] { try await same(array) }
            for array in [[], [1, Int64.min]] { try await same(array) }
            try await same([UUID(), UUID()])
            try await same([1.5, -0.0])
            try await same([Date(timeIntervalSince1970: 1)])
        }
    }

    @Test func serverReadsTheValuesAsMeant() async throws {
        try await withClient { client in
            let id = try #require(UUID(uuidString: "6F9619FF-8B86-D011-B42D-00CF4FC964FF"))
            let row = try await client.query(
                """
                SELECT \(id)::text, \(Date(timeIntervalSince1970: 951_782_400.5))::text, \([1, 2] as [Int64])::text,
                       \(["a", "b c"])::text, \([0xDE, 0xAD] as [UInt8])::text, \(JSON(bytes: Array("[1]".utf8)))::text
                """)[0]
            let (uuid, date, numbers, texts, bytes, json) = try row.decode(
                String.self, String.self, String.self, String.self, String.self, String.self)
            #expect(uuid == "6f9619ff-8b86-d011-b42d-00cf4fc964ff")
            #expect(date == "2000-02-29 00:00:00.5+00")
            #expect([numbers, texts, bytes, json] == ["{1,2}", "{a,\"b c\"}", "\\xdead", "[1]"])
        }
    }

    @Test func rowsDecodeByNameAndPosition() async throws {
        try await withClient { client in
            let row = try await client.query("SELECT 7::int AS id, 'x'::varchar AS \"Name\", NULL::bigint AS gone")[0]
            #expect(try row["id"] == 7)
            #expect(try row[1] == "x")
            #expect(try row.decode("Name", as: String.self) == "x")
            #expect(try row.decode("gone", as: Int?.self) == nil)
            #expect(throws: PostgresError.self) { try row.decode("name", as: String.self) }
            #expect(throws: PostgresError.self) { try row.decode("Name", as: Int.self) }
            #expect(throws: PostgresError.self) { try row.decode(3, as: Int.self) }
            #expect(throws: PostgresError.self) { try row.decode(Int.self) }
        }
    }

    @Test func bytesOf32MegabytesPassBothWays() async throws {
        try await withClient { client in
            let block = (0..<(32 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 13) }
            try await client.execute("CREATE TABLE block (bytes bytea)")
            #expect(try await client.execute("INSERT INTO block VALUES (\(block))") == 1)
            #expect(try await client.query("SELECT bytes FROM block")[0].decode([UInt8].self) == block)
            try await client.withConnection { connection in
                try await connection.copyIn("COPY block FROM STDIN (FORMAT binary)") { try await $0.row(block) }
                var count = 0
                for try await row in connection.copyOut("COPY block TO STDOUT (FORMAT binary)") {
                    #expect(try row.decode([UInt8].self) == block)
                    count += 1
                }
                #expect(count == 2)
            }
        }
    }

    @Test func statementsArePreparedOnceAndTheOldestMakesRoom() async throws {
        try await withClient {
            $0.maximumConnections = 1
            $0.preparedStatementLimit = 3
        } _: { client in
            for number in 0..<10 { #expect(try await client.query("SELECT \(number)")[0].decode(Int.self) == number) }
            let count: SQL = "SELECT count(*) FROM pg_prepared_statements"
            #expect(try await client.query(count)[0].decode(Int.self) == 2)
            for number in 0..<9 { _ = try await client.query("SELECT \(unsafe: "\(number)")") }
            #expect(try await client.query(count)[0].decode(Int.self) == 3)
        }
    }

    @Test func preparedStatementsSurviveChangesUnderThem() async throws {
        try await withClient {
            $0.maximumConnections = 1
        } _: { client in
            try await client.execute("CREATE TABLE t (a int)")
            try await client.execute("INSERT INTO t VALUES (1)")
            #expect(try await client.query("SELECT * FROM t")[0].count == 1)
            try await client.execute("ALTER TABLE t ADD b int")
            #expect(try await client.query("SELECT * FROM t")[0].count == 2)
            try await client.execute("DISCARD ALL")
            #expect(try await client.query("SELECT * FROM t")[0].count == 2)
            #expect(try await client.query("SELECT count(*) FROM pg_prepared_statements")[0].decode(Int.self) == 2)
        }
    }

    @Test func errorsHoldNoData() async throws {
        try await withClient { client in
            try await client.withConnection { connection in
                try await connection.script(
                    """
                    CREATE TABLE t (a text PRIMARY KEY, b text CHECK (b <> a), c varchar(3));
                    INSERT INTO t VALUES ('s3cret');
                    CREATE TABLE u (a text REFERENCES t (a));
                    """)
            }
            let value = "s3cret"
            let statements: [SQL] = [
                "SELECT \(value)::int", "SELECT \(value)::timestamptz", "SELECT \(value)::jsonb",
                "SELECT \(value)::uuid",
                "INSERT INTO t VALUES (\(value))", "INSERT INTO t VALUES ('x' || \(value), 'x' || \(value))",
                "INSERT INTO t (a, c) VALUES ('x', \(value))", "INSERT INTO u VALUES (\("no " + value))",
                "INSERT INTO t (b) VALUES (\(value))", "SELECT to_date(\(value), 'YYYY')",
                "SELECT ('\\x' || \(value))::bytea",
            ]
            for statement in statements {
                let error = await #expect(throws: PostgresError.self) { try await client.query(statement) }
                var dumped = "\(error as Any)"
                dump(error, to: &dumped)
                #expect(!dumped.contains(value), "\(dumped)")
                #expect(error?.sqlState != nil)
            }
        }
    }

    @Test func pipelinedStatementsTakeEffectTogetherOrNotAtAll() async throws {
        try await withClient { client in
            try await client.withConnection { connection in
                try await connection.script("CREATE TABLE t (a bigint PRIMARY KEY); INSERT INTO t VALUES (1), (2)")
                let counts = try await connection.execute(
                    pipelined: [
                        "UPDATE t SET a = a + 10", "INSERT INTO t VALUES (\(3))", "DELETE FROM t WHERE a > \(10)",
                    ])
                #expect(counts == [2, 1, 2])
                await #expect(throws: PostgresError.self) {
                    try await connection.execute(pipelined: [
                        "INSERT INTO t VALUES (\(4))", "INSERT INTO t VALUES (\(3))",
                    ])
                }
                let rows = try await connection.query("SELECT a FROM t")
                #expect(try rows.map { try $0.decode(Int.self) } == [3])
            }
        }
    }

    @Test func scriptsStopAtTheirFirstError() async throws {
        try await withClient { client in
            try await client.withConnection { connection in
                try await expect(SQLState.undefinedColumn) {
                    try await connection.script("CREATE TABLE t (a int); SELECT nothing; CREATE TABLE u ()")
                }
                let rows = try await connection.query("SELECT to_regclass('t') IS NULL")
                #expect(try rows[0].decode(Bool.self))
            }
        }
    }
}

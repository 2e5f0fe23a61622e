import RegistryTesting
import Testing

@Suite struct TestClusterTests {
    @Test func givesEveryTestADatabaseOfItsOwn() async throws {
        try await TestCluster.withDatabase { one in
            try await TestCluster.withDatabase { two in
                try await Psql.run("CREATE TABLE mine (id int)", on: one)
                #expect(try await Psql.run("SELECT to_regclass('mine') IS NULL", on: two) == "t")
                let settings = "SELECT datcollate, current_user FROM pg_database WHERE datname = current_database()"
                #expect(try await Psql.run(settings, on: two) == "C|registry")
            }
        }
    }

    @Test func removesTheDatabaseUnderItsClients() async throws {
        let name = try await TestCluster.makeDatabase()
        let connection = try await TestCluster.connectionString(database: name)
        let client = Task { try await Psql.run("SELECT pg_sleep(600)", on: connection) }
        let sleepers = "SELECT count(*) FROM pg_stat_activity WHERE query ~ '^SELECT pg_sleep'"
        while try await Psql.run(sleepers, on: connection) == "0" {}
        try await TestCluster.dropDatabase(name)
        await #expect(throws: Psql.Failure.self) { try await client.value }
        await #expect(throws: Psql.Failure.self) { try await Psql.run("SELECT 1", on: connection) }
    }
}

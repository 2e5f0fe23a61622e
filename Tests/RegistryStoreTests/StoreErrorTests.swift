import Logging
import Postgres
import Testing

@testable import RegistryStore

@Suite struct StoreErrorTests {
    @Test(
        arguments: [
            ("08006", .databaseUnavailable), ("57P01", .databaseUnavailable), ("53300", .databaseUnavailable),
            ("28P01", .databaseUnavailable), ("22021", .invalidValue), ("23514", .invalidValue), ("40P01", .conflict),
            ("23505", .conflict), ("42P01", .schemaTooOld), ("42601", .internalError),
        ] as [(String, StoreError.Code)])
    func theServersCodesAreSorted(state: String, code: StoreError.Code) {
        let error = StoreError(PostgresError(.server(SQLState(rawValue: state)), "refused"))
        #expect(error.code == code)
        #expect(error.description.contains("refused"))
    }

    @Test func aDatabaseThatIsNotThereIsUnavailable() async throws {
        let client = PostgresClient(
            configuration: PostgresConfiguration(connectionString: "host=/nonexistent dbname=none"),
            logger: Logger(label: "test"))
        let store = RegistryStore(client: client, logger: Logger(label: "test"))
        #expect(await storeError { _ = try await store.ensembles() } == .databaseUnavailable)
        #expect(await storeError { _ = try await store.migrate() } == .databaseUnavailable)
        await client.shutdown()
    }
}

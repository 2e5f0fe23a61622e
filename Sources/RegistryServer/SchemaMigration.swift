public import Logging
import Postgres
import RegistryStore

/// Applies the migrations to an external database.
public struct SchemaMigration: Sendable {
    private let database: String
    private let logger: Logger

    /// Creates a migration of the database that a libpq connection string or URL names.
    public init(database: String, logger: Logger) {
        self.database = database
        self.logger = logger
    }

    /// Applies what is missing.
    public func run() async throws {
        let configuration = PostgresConfiguration(connectionString: database)
        try await PostgresClient.withClient(configuration: configuration, logger: logger) { client in
            let applied = try await RegistryStore(client: client, logger: logger).migrate()
            for name in applied { logger.notice("Migration applied", metadata: ["migration": "\(name)"]) }
            if applied.isEmpty { logger.notice("Nothing to migrate: the schema is current") }
        }
    }
}

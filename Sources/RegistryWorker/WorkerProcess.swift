import Boosting
public import Logging
import Postgres
import RegistryStore
import ServiceLifecycle
import UnixSignals

/// A worker as a process of its own: database, LightGBM and the evaluation loop.
public struct WorkerProcess: Sendable {
    private let database: String
    private let name: String
    private let threads: Int
    private let logger: Logger

    /// Creates a worker that does nothing yet.
    ///
    /// - Parameters:
    ///   - database: libpq connection string or URL.
    ///   - name: name under which it holds leases.
    ///   - threads: threads it computes with.
    ///   - logger: where it logs.
    public init(database: String, name: String, threads: Int, logger: Logger) {
        self.database = database
        self.name = name
        self.threads = threads
        self.logger = logger
    }

    /// Makes sure that workers will find LightGBM, before anything is started that would start them.
    ///
    /// - Throws: `BoostingError` with the remedy.
    public static func checkLibrary() throws { try LightGBM.check() }

    /// Runs until SIGTERM or SIGINT.
    public func run() async throws {
        let library = try LightGBM.load()
        let postgres = PostgresConfiguration(connectionString: database)
        try await PostgresClient.withClient(configuration: postgres, logger: logger) { client in
            let store = RegistryStore(client: client, logger: logger)
            try await store.checkSchema()
            let worker = EvaluationWorker(
                store: store, library: library,
                configuration: EvaluationWorker.Configuration(name: name, threads: threads),
                logger: logger)
            try await ServiceGroup(
                services: [client, worker], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger
            ).run()
        }
    }
}

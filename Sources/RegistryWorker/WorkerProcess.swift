import Boosting
import Foundation
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
    private let exitWithParent: Bool
    private let logger: Logger

    /// Creates a worker that does nothing yet.
    ///
    /// - Parameters:
    ///   - database: libpq connection string or URL.
    ///   - name: name under which it holds leases.
    ///   - threads: threads it computes with.
    ///   - exitWithParent: whether it ends when its standard input closes.
    ///   - logger: where it logs.
    public init(database: String, name: String, threads: Int, exitWithParent: Bool, logger: Logger) {
        self.database = database
        self.name = name
        self.threads = threads
        self.exitWithParent = exitWithParent
        self.logger = logger
    }

    /// Makes sure that workers will find LightGBM, before anything is started that would start them.
    ///
    /// - Throws: `BoostingError` with the remedy.
    public static func checkLibrary() throws { try LightGBM.check() }

    /// Runs until SIGTERM, SIGINT or, where asked, the end of the parent.
    public func run() async throws {
        let library = try LightGBM.load()
        let client = PostgresClient(configuration: PostgresConfiguration(connectionString: database), logger: logger)
        let store = RegistryStore(client: client, logger: logger)
        do {
            try await store.checkSchema()
            let worker = EvaluationWorker(
                store: store, library: library,
                configuration: EvaluationWorker.Configuration(name: name, threads: threads),
                logger: logger)
            if exitWithParent { StandardInputWatch.raiseTerminationAtEnd() }
            try await ServiceGroup(
                services: [client, worker], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger
            ).run()
        } catch {
            await client.shutdown()
            throw error
        }
        await client.shutdown()
    }
}

/// Notices that the parent is gone.
enum StandardInputWatch {
    /// Sends this process SIGTERM when standard input ends, so that it shuts down as if it had been asked to.
    static func raiseTerminationAtEnd() {
        let thread = Thread {
            var byte: UInt8 = 0
            while true {
                let count = read(STDIN_FILENO, &byte, 1)
                if count == 0 || (count < 0 && errno != EINTR) { break }
            }
            kill(getpid(), SIGTERM)
        }
        thread.name = "parent-watch"
        thread.start()
    }
}

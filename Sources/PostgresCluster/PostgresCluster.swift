import Foundation
public import Logging

/// A private Postgres cluster under a directory: made on first use, reached through a Unix socket only.
public enum PostgresCluster {
    /// Where the cluster lives and how it runs.
    public struct Configuration: Sendable {
        /// The directory of the cluster; made when it is missing.
        public var directory: String
        /// The name of the database, fixed when the cluster is first made.
        public var database = "registry"
        /// Whether a commit survives a crash of the machine. False is for tests.
        public var durable = true
        /// Connections that Postgres accepts; more are refused.
        public var maximumConnections = 100
        /// How long Postgres may take to come up, with the recovery after a crash.
        public var startTimeout: Duration = .seconds(300)
        /// The account that Postgres runs under when this process is root.
        public var unprivilegedAccount = "postgres"
        /// The directory of `postgres` and `initdb`; nil looks for them.
        public var binaryDirectory: String?

        /// The defaults, for a directory.
        public init(directory: String) {
            self.directory = directory
        }
    }

    /// Starts the cluster, and makes it first where there is none. A Postgres that a killed process left on the
    /// directory is stopped. When the start fails, nothing that it made is left but the data, if complete.
    ///
    /// - Throws: ``PostgresClusterError``, or `CancellationError` when the task is cancelled.
    public static func start(_ configuration: Configuration, logger: Logger) async throws -> RunningCluster {
        var undo = Undo()
        do {
            return try await start(configuration, logger: logger, undo: &undo)
        } catch {
            undo.run()
            throw error
        }
    }

    private static func start(
        _ configuration: Configuration, logger: Logger, undo: inout Undo
    ) async throws -> RunningCluster {
        let account = try ServerAccount.current(unprivileged: configuration.unprivilegedAccount)
        let directory = try ClusterDirectory(making: configuration.directory, undo: &undo)
        let lock = try DirectoryLock.acquire(directory.lock)
        undo.add { lock.release() }
        try await account.checkReach(of: directory.path)
        let version = ClusterDirectory.dataVersion(in: directory.path)
        let binaries = try ServerBinaries.find(in: configuration.binaryDirectory, dataVersion: version)
        let log = try ServerLog(path: directory.log, undo: &undo)
        let processes = ServerProcesses(directory: directory.data, token: directory.token)
        if version == nil {
            logger.info("making a Postgres cluster", metadata: ["directory": "\(directory.path)"])
            try await directory.initialize(
                database: configuration.database, durable: configuration.durable, binaries: binaries,
                account: account, log: log)
        } else {
            try await takeOver(directory, processes, account, logger)
        }
        try directory.prepareSocket(for: account, undo: &undo)

        let arguments = serverArguments(configuration, directory)
        let command = account.command(binaries.path("postgres"), arguments, directory: directory.data)
        let process = try command.start(output: log.handle)
        do {
            try await waitUntilReady(process, configuration.startTimeout, directory, log)
        } catch {
            try await processes.stop(process, patience: RunningCluster.stopPatience)
            directory.removeSocket()
            throw error
        }
        logger.info(
            "Postgres is up",
            metadata: ["directory": "\(directory.path)", "pid": "\(process.processIdentifier)"])
        return RunningCluster(
            directory: directory, database: configuration.database, process: process, processes: processes, log: log,
            lock: lock)
    }

    /// Ends what a killed process left running on the data, and the traces of it.
    private static func takeOver(
        _ directory: ClusterDirectory, _ processes: ServerProcesses, _ account: ServerAccount, _ logger: Logger
    ) async throws {
        try directory.checkOwner(of: directory.data, is: account)
        try await directory.discardUnfinished()
        let orphans = processes.running()
        if !orphans.isEmpty {
            logger.warning(
                "stopping a Postgres that was left running",
                metadata: ["directory": "\(directory.path)", "pids": "\(orphans)"])
            try await processes.stop(patience: RunningCluster.stopPatience)
        }
        PostmasterFile.removeStale(data: directory.data)
    }

    private static func serverArguments(_ configuration: Configuration, _ directory: ClusterDirectory) -> [String] {
        let socket = directory.socket.replacing("\"", with: "\"\"")
        var settings = [
            ("listen_addresses", ""),
            ("port", "\(ClusterDirectory.port)"),
            ("unix_socket_directories", "\"\(socket)\""),
            ("unix_socket_permissions", "0700"),
            ("max_connections", "\(configuration.maximumConnections)"),
            ("cluster_name", directory.token),
            ("timezone", "UTC"),
            ("log_timezone", "UTC"),
            ("log_destination", "stderr"),
            ("logging_collector", "off"),
            ("log_checkpoints", "off"),
            // The details of an error are values out of rows.
            ("log_error_verbosity", "terse"),
        ]
        if !configuration.durable {
            settings += [("fsync", "off"), ("synchronous_commit", "off"), ("full_page_writes", "off")]
        }
        return ["-D", directory.data] + settings.flatMap { ["-c", "\($0)=\($1)"] }
    }

    private static func waitUntilReady(
        _ process: Process, _ timeout: Duration, _ directory: ClusterDirectory, _ log: ServerLog
    ) async throws {
        let deadline = ContinuousClock.now + timeout
        while true {
            try Task.checkCancellation()
            guard process.isRunning else {
                throw PostgresClusterError(
                    .startFailed, "Postgres ended while it was starting on \(directory.data):\n\(log.tail())")
            }
            let file = PostmasterFile(data: directory.data)
            if let file, file.pid == process.processIdentifier, file.isReady { return }
            guard ContinuousClock.now < deadline else {
                throw PostgresClusterError(
                    .startFailed, "Postgres was not ready on \(directory.data) after \(timeout):\n\(log.tail())")
            }
            await pause()
        }
    }
}

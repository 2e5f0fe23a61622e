import Foundation

/// A private Postgres that is up.
///
/// It is a child of this process, and outlives it when the process is killed: a death signal from the kernel would be
/// tied to the thread that started it, and threads of a Swift program come and go. The next start on the directory ends
/// what was left and takes over.
public actor RunningCluster {
    /// How long a fast shutdown, which writes a checkpoint, may take before it becomes an immediate one.
    static let stopPatience: Duration = .seconds(60)

    /// libpq keywords that reach the database; no secret in it, the mode of the socket's directory keeps others out.
    public nonisolated let connectionString: String
    nonisolated let directory: ClusterDirectory
    nonisolated let process: Process
    private let processes: ServerProcesses
    private let log: ServerLog
    private var lock: DirectoryLock?
    private var isStopping = false

    init(
        directory: ClusterDirectory, database: String, process: Process, processes: ServerProcesses, log: ServerLog,
        lock: DirectoryLock
    ) {
        self.directory = directory
        self.connectionString = Self.connectionString(socket: directory.socket, database: database, user: "registry")
        self.process = process
        self.processes = processes
        self.log = log
        self.lock = lock
    }

    /// Stops Postgres and gives the directory back: a fast shutdown (clients are cut off, what is committed is kept),
    /// then by force. Later calls do nothing; a cancelled task waits too.
    public func stop() async throws {
        isStopping = true
        guard let lock else { return }
        try await processes.stop(process, patience: Self.stopPatience)
        // Another call may have come first, and the directory be another's by now.
        guard self.lock != nil else { return }
        directory.removeSocket()
        rmdir(directory.socket)
        lock.release()
        self.lock = nil
    }

    /// Watches Postgres: returns after `stop()` or when the task is cancelled.
    ///
    /// - Throws: `server_exited` when Postgres ended by itself; its clients cannot recover, this process should end.
    public func waitForExit() async throws {
        while process.isRunning, !Task.isCancelled { try? await Task.sleep(for: .milliseconds(250)) }
        guard !process.isRunning, !isStopping else { return }
        throw PostgresClusterError(
            .serverExited, "Postgres on \(directory.data) ended unexpectedly:\n\(log.tail())")
    }

    /// libpq keywords for another database or user of this cluster, for tests.
    package nonisolated func connectionString(database: String, user: String) -> String {
        Self.connectionString(socket: directory.socket, database: database, user: user)
    }

    /// Lets go of the directory but not of Postgres, as if this process had been killed.
    func abandon() {
        lock?.release()
        lock = nil
    }

    private static func connectionString(socket: String, database: String, user: String) -> String {
        let values = [("host", socket), ("port", "\(ClusterDirectory.port)"), ("user", user), ("dbname", database)]
        return values.map { key, value in
            let escaped = value.replacing("\\", with: "\\\\").replacing("'", with: "\\'")
            return "\(key)='\(escaped)'"
        }.joined(separator: " ")
    }
}

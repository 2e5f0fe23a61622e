import Foundation

extension ClusterDirectory {
    /// Makes the data directory with `initdb`, and the role and the database in it.
    ///
    /// Everything happens in `data.new`; the rename at the end makes it the data. A kill at any moment before leaves a
    /// `data.new`, which the next start throws away.
    func initialize(
        database: String, durable: Bool, binaries: ServerBinaries, account: ServerAccount, log: ServerLog
    ) async throws {
        var status = stat()
        guard stat(data, &status) != 0 else {
            throw PostgresClusterError(
                .directoryUnusable, "\(data) is in the way and holds no data of Postgres: move it away")
        }
        try await discardUnfinished()
        guard mkdir(newData, 0o700) == 0 else { throw PostgresClusterError.unusable(newData, errno) }
        do {
            try account.own(newData)
            // The C locale compares text by its bytes, everywhere and for ever: an index never depends on the system's
            // collation tables.
            let options = [
                "--pgdata=\(newData)", "--username=postgres", "--auth=trust", "--encoding=UTF8",
                "--locale-provider=libc", "--locale=C", "--data-checksums",
            ]
            let initdb = account.command(
                binaries.path("initdb"), options + (durable ? [] : ["--no-sync"]), directory: newData)
            try await check(initdb.run(output: log.handle), "initdb", log)

            let name = database.replacing("\"", with: "\"\"")
            let single = account.command(
                binaries.path("postgres"),
                ["--single", "-D", newData, "-c", "exit_on_error=on", "-c", "log_checkpoints=off", "postgres"],
                directory: newData)
            // A line is a statement here.
            let statements = """
                CREATE ROLE registry LOGIN
                CREATE DATABASE "\(name)" OWNER registry TEMPLATE template0

                """
            try await check(single.run(input: statements, output: log.handle), "postgres --single", log)
            guard rename(newData, data) == 0 else { throw PostgresClusterError.unusable(data, errno) }
        } catch {
            try? await discardUnfinished()
            throw error
        }
        let parent = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard parent >= 0 else { throw PostgresClusterError.unusable(path, errno) }
        fsync(parent)
        close(parent)
    }

    /// Removes an initdb that was not finished, with its processes.
    func discardUnfinished() async throws {
        guard FileManager.default.fileExists(atPath: newData) else { return }
        try await ServerProcesses(directory: newData, token: newData).stop(patience: .seconds(5))
        do {
            try FileManager.default.removeItem(atPath: newData)
        } catch {
            throw PostgresClusterError(
                .directoryUnusable, "\(newData), an unfinished initdb, cannot be removed: remove it", cause: error)
        }
    }

    private func check(_ status: Int32, _ program: String, _ log: ServerLog) throws {
        guard status != 0 else { return }
        throw PostgresClusterError(
            .initializationFailed, "\(program) failed with status \(status) in \(newData):\n\(log.tail())")
    }
}

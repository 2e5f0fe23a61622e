import Foundation
import Logging
import PostgresCluster

/// One Postgres for all the tests of a process: started when the first one asks, not durable, gone with the process.
public enum TestCluster {
    private static let starter = Starter()

    /// Makes an empty database, owned by the role `registry`, and returns its name.
    public static func makeDatabase() async throws -> String {
        let name = "test_\(UUID().uuidString.replacing("-", with: "").lowercased())"
        try await Psql.run("CREATE DATABASE \(name) OWNER registry TEMPLATE template0", on: administration())
        return name
    }

    /// Removes a database that `makeDatabase` made, and cuts off those connected to it.
    public static func dropDatabase(_ name: String) async throws {
        try await Psql.run("DROP DATABASE IF EXISTS \(name) WITH (FORCE)", on: administration())
    }

    /// libpq keywords that reach the database `name` as the role `registry`, which is not a superuser.
    public static func connectionString(database name: String) async throws -> String {
        try await starter.cluster().connectionString(database: name, user: "registry")
    }

    /// Runs `body` with the connection string of a fresh database, and removes the database afterwards.
    public static func withDatabase<Result>(
        isolation: isolated (any Actor)? = #isolation, _ body: (String) async throws -> Result
    ) async throws -> Result {
        let name = try await makeDatabase()
        let result: Result
        do {
            result = try await body(connectionString(database: name))
        } catch {
            try? await dropDatabase(name)
            throw error
        }
        try await dropDatabase(name)
        return result
    }

    /// libpq keywords of the superuser.
    private static func administration() async throws -> String {
        try await starter.cluster().connectionString(database: "postgres", user: "postgres")
    }

    private actor Starter {
        private var starting: Task<RunningCluster, any Error>?
        private var lifeline: Pipe?

        func cluster() async throws -> RunningCluster {
            if let starting { return try await starting.value }
            let directory = try ScratchDirectory.make()
            lifeline = try TestCluster.cleanUpWhenProcessEnds(directory)
            var configuration = PostgresCluster.Configuration(directory: directory.path)
            configuration.durable = false
            configuration.maximumConnections = 200
            let task = Task { [configuration] in
                try await PostgresCluster.start(configuration, logger: Logger(label: "test-cluster"))
            }
            starting = task
            return try await task.value
        }
    }

    /// Starts a shell that ends Postgres and removes the directory as soon as this process is gone, however it ended:
    /// its standard input is a pipe that only we hold open, and `atexit` would not see a crash.
    private static func cleanUpWhenProcessEnds(_ directory: URL) throws -> Pipe {
        let script = """
            read -r _
            pid=$(head -n 1 "$1/data/postmaster.pid") && kill -QUIT "$pid"
            # Dead processes that nobody has waited for are still there, but have no command line.
            while [ -n "$pid" ] && grep -q . "/proc/$pid/cmdline"; do sleep 0.05; done
            rm -rf "$1"
            """
        let pipe = Pipe()
        let shell = Process()
        shell.executableURL = URL(fileURLWithPath: "/bin/sh")
        shell.arguments = ["-c", script, "sh", directory.path]
        shell.standardInput = pipe
        shell.standardOutput = FileHandle.nullDevice
        shell.standardError = FileHandle.nullDevice
        try shell.run()
        return pipe
    }
}

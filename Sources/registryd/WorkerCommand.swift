import ArgumentParser
import DaemonProgram
import Foundation
import RegistryWorker

struct WorkerCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker",
        abstract: "Evaluate submissions, on any machine that reaches the database.",
        discussion: """
            Takes the database from DATABASE_URL and LightGBM's library from LIGHTGBM_LIBRARY or where deploy/setup \
            puts it.
            """)

    @Option(help: "Name to hold leases under; by default made of host and process id.")
    var name: String?

    @Option(help: "Threads to compute with; the machine's cores by default. Verdicts do not depend on it.")
    var threads: Int?

    @OptionGroup var parent: ParentOptions

    @OptionGroup var logging: LoggingOptions

    func validate() throws {
        guard threads.map((1...64).contains) ?? true else {
            throw ValidationError("--threads must be between 1 and 64")
        }
    }

    func run() async throws {
        guard let database = ProcessInfo.processInfo.environment["DATABASE_URL"] else {
            throw ValidationError(
                "set DATABASE_URL to the registry's database, such as postgres://registry@db.example/registry")
        }
        try ThisProgram.executeAgain(with: "OMP_WAIT_POLICY", "PASSIVE")
        parent.watch()
        try await WorkerProcess(
            database: database, name: name ?? ThisProgram.instance, threads: threads ?? ThisProgram.cores,
            logger: logging.logger("registryd-worker")
        ).run()
    }
}

import ArgumentParser
import DaemonProgram
import Foundation
import Logging
import RegistryServer
import RegistryWorker

struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Answer the HTTP API, publish manifests and run workers.",
        discussion: """
            Without DATABASE_URL in the environment, a private Postgres cluster is made and run under the data \
            directory, and migrations are applied. With it, 'registryd migrate' applies them.

            An admin token for this machine's owner is kept in DIRECTORY/admin.token, where the command line finds it.
            """)

    @Option(help: ArgumentHelp("Address to listen on; port 0 takes a free one.", valueName: "host:port"))
    var listen = ListenAddress(host: "127.0.0.1", port: 8470)

    @Option(help: ArgumentHelp("Where the daemon keeps its files.", valueName: "directory"))
    var dataDir = DefaultDirectory.data

    @Option(help: ArgumentHelp("File to write the address to once the daemon listens.", valueName: "file"))
    var addressFile: String?

    @Option(help: "Worker processes to run on this machine; 0 leaves the work to 'registryd worker' elsewhere.")
    var workers = 1

    @Option(help: "Threads each worker computes with; the machine's cores by default. Verdicts do not depend on it.")
    var workerThreads: Int?

    @Option(
        help: ArgumentHelp(
            "Keys to sign manifests with; by default DIRECTORY/keys, where they are made when the registry has none.",
            valueName: "directory"))
    var keys: String?

    @Option(
        help: ArgumentHelp(
            "File with the passphrase of the keys; otherwise REGISTRY_KEYS_PASSPHRASE, or the file 'passphrase' beside "
                + "them.", valueName: "file"))
    var passphraseFile: String?

    @OptionGroup var parent: ParentOptions

    @OptionGroup var logging: LoggingOptions

    func validate() throws {
        guard (0...64).contains(workers) else { throw ValidationError("--workers must be between 0 and 64") }
        guard workerThreads.map((1...64).contains) ?? true else {
            throw ValidationError("--worker-threads must be between 1 and 64")
        }
    }

    private func passphrase() throws -> String? {
        guard let passphraseFile else { return ProcessInfo.processInfo.environment["REGISTRY_KEYS_PASSPHRASE"] }
        guard let text = try? String(contentsOfFile: passphraseFile, encoding: .utf8) else {
            throw ValidationError("\(passphraseFile) cannot be read: check the file and its permissions")
        }
        return text.trimmingCharacters(in: .newlines)
    }

    func run() async throws {
        parent.watch()
        ThisProgram.raiseOpenFiles()
        if workers > 0 { try WorkerProcess.checkLibrary() }
        let configuration = DaemonConfiguration(
            host: listen.host, port: listen.port, addressFile: addressFile,
            dataDirectory: URL(fileURLWithPath: dataDir).standardizedFileURL.path,
            databaseURL: ProcessInfo.processInfo.environment["DATABASE_URL"], workers: workers,
            workerThreads: workerThreads ?? ThisProgram.cores,
            workerExecutable: ThisProgram.path,
            keysDirectory: keys.map { URL(fileURLWithPath: $0).standardizedFileURL.path },
            keysPassphrase: try passphrase())
        try await RegistryDaemon(configuration: configuration, logger: logging.logger("registryd")).run()
    }
}

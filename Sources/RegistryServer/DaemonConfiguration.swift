/// How a daemon runs.
public struct DaemonConfiguration: Sendable {
    /// Host to listen on.
    public var host: String
    /// Port to listen on; 0 takes a free one.
    public var port: Int
    /// A file to write the address to once the daemon listens, as `HOST:PORT`.
    public var addressFile: String?
    /// Where the daemon keeps its files: the embedded database, spooled uploads, the local admin token.
    public var dataDirectory: String
    /// libpq connection string or URL of an external database; nil runs the embedded one.
    public var databaseURL: String?
    /// Worker processes on this machine.
    public var workers: Int
    /// Threads each worker computes with.
    public var workerThreads: Int
    /// The program to run workers with: this program.
    public var workerExecutable: String
    /// Where the keys are that manifests are signed with.
    public var keysDirectory: String
    /// Opens the key files; nil takes it from the file `passphrase` beside them.
    public var keysPassphrase: String?
    /// Limits of requests and services.
    public var limits = DaemonLimits()

    /// Creates a configuration.
    public init(
        host: String, port: Int, addressFile: String? = nil, dataDirectory: String, databaseURL: String? = nil,
        workers: Int = 1, workerThreads: Int = 1, workerExecutable: String, keysDirectory: String? = nil,
        keysPassphrase: String? = nil
    ) {
        self.host = host
        self.port = port
        self.addressFile = addressFile
        self.dataDirectory = dataDirectory
        self.databaseURL = databaseURL
        self.workers = workers
        self.workerThreads = workerThreads
        self.workerExecutable = workerExecutable
        self.keysDirectory = keysDirectory ?? dataDirectory + "/keys"
        self.keysPassphrase = keysPassphrase
    }

    /// The host with a port, as addresses are written.
    func address(port: Int) -> String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// Whether only this machine can reach the address.
    var isLoopback: Bool { host == "localhost" || host == "::1" || host.hasPrefix("127.") }
}

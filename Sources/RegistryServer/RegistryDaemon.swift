import EnsembleModel
import Foundation
import Hummingbird
import HummingbirdCore
public import Logging
import NIOCore
import NIOPosix
import Postgres
import PostgresCluster
import RegistryAPI
import RegistryStore
import ServiceLifecycle
import UnixSignals

/// The registry daemon: the HTTP API, the publisher and its workers, over one database.
public struct RegistryDaemon: Sendable {
    let configuration: DaemonConfiguration
    let logger: Logger

    /// Creates a daemon that does nothing yet.
    public init(configuration: DaemonConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
    }

    /// Runs until SIGTERM or SIGINT, then ends everything it started.
    ///
    /// Connections share half of the cores: the others are for workers and an embedded database. With a thread on every
    /// core of two, ten thousand nodes on the same machine learned of a promotion in half as much time again, since
    /// reading who asked next had gone before the answers to the rest.
    public func run() async throws {
        NIOSingletons.groupLoopCountSuggestion = max(1, System.coreCount / 2)
        try await checkAddress()
        try prepareDataDirectory()
        guard let url = configuration.databaseURL else { return try await runWithEmbeddedDatabase() }
        try await serve(database: url, alongside: []) { try await $0.checkSchema() }
    }

    private func runWithEmbeddedDatabase() async throws {
        let cluster = try await PostgresCluster.start(
            PostgresCluster.Configuration(directory: configuration.dataDirectory + "/postgres"), logger: logger)
        do {
            try await serve(database: cluster.connectionString, alongside: [ClusterWatch(cluster: cluster)]) { store in
                for name in try await store.migrate() {
                    logger.info("Migration applied", metadata: ["migration": "\(name)"])
                }
            }
        } catch {
            try await cluster.stop()
            throw error
        }
        try await cluster.stop()
    }

    private func serve(
        database: String, alongside others: [any Service], prepare: (RegistryStore) async throws -> Void
    ) async throws {
        let postgres = PostgresConfiguration(connectionString: database)
        try await PostgresClient.withClient(configuration: postgres, logger: logger) { client in
            let unsigned = RegistryStore(client: client, logger: logger)
            try await prepare(unsigned)
            try await LocalAdminToken.ensure(store: unsigned, dataDirectory: configuration.dataDirectory)
            try await refuseOpenListenerWithoutTokens(unsigned)
            let signer = try await makeSigner(unsigned)
            let store = RegistryStore(client: client, logger: logger, signer: signer)
            var services: [any Service] = others + [client]
            if let signer { services += publishers(store, signer) }
            for number in 0..<configuration.workers {
                services.append(supervisor(number, store: store, database: database))
            }
            let parts = DaemonParts(store: store, limits: configuration.limits, logger: logger)
            services.append(Self.application(parts, configuration: configuration, logger: logger))
            // After the server: shut down before it, so that it does not wait for polls that are held.
            services += parts.services
            var group = ServiceGroupConfiguration(
                services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
            group.maximumGracefulShutdownDuration = configuration.limits.shutdownGrace * 2
            try await ServiceGroup(configuration: group).run()
        }
    }

    /// Listens for a moment: a cluster that is made for nothing costs more than a word before.
    private func checkAddress() async throws {
        do {
            try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .bind(host: configuration.host, port: configuration.port).get().close()
        } catch {
            let reason =
                switch (error as? IOError)?.errnoCode {
                case EADDRINUSE?: "another program has taken it"
                case let code?: String(cString: strerror(code)).lowercased()
                case nil: "\(configuration.host) is not an address of this machine"
                }
            throw DaemonError(
                .cannotListen,
                "cannot listen on \(configuration.address(port: configuration.port)): \(reason); "
                    + "choose an address with --listen HOST:PORT, where port 0 takes a free one")
        }
    }

    private func prepareDataDirectory() throws {
        do {
            // Others may pass through but not look: postgres runs as another user when the daemon is root.
            try FileManager.default.createDirectory(
                atPath: configuration.dataDirectory + "/spool", withIntermediateDirectories: true,
                attributes: [.posixPermissions: 0o711])
        } catch {
            throw DaemonError(
                .dataDirectory,
                "the data directory \(configuration.dataDirectory) cannot be used: "
                    + "check that it is a directory this user may write to")
        }
    }

    private func refuseOpenListenerWithoutTokens(_ store: RegistryStore) async throws {
        guard !configuration.isLoopback else { return }
        guard try await store.tokenCount(notNamed: LocalAdminToken.name) > 0 else {
            throw DaemonError(
                .listeningNeedsTokens,
                "\(configuration.host) can be reached from other machines, but nobody has been given a token yet: "
                    + "start with --listen 127.0.0.1:\(configuration.port), make tokens with 'registry tokens create', "
                    + "then listen on it")
        }
    }

    private func publishers(_ store: RegistryStore, _ signer: DaemonSigner) -> [any Service] {
        let limits = configuration.limits
        return [
            PublisherService(store: store, interval: limits.publishInterval, logger: logger),
            RolloutService(store: store, interval: limits.rolloutInterval, logger: logger),
            RenewalService(
                store: store, signer: signer, keys: keys, interval: limits.renewalInterval,
                logger: logger),
        ]
    }

    private func supervisor(_ number: Int, store: RegistryStore, database: String) -> WorkerSupervisor {
        let name = "\(ProcessInfo.processInfo.hostName):\(ProcessInfo.processInfo.processIdentifier):\(number)"
        var environment = ProcessInfo.processInfo.environment
        environment["OMP_WAIT_POLICY"] = "PASSIVE"
        // In the environment, not among the arguments: arguments are visible to every user of the machine.
        environment["DATABASE_URL"] = database
        let command = WorkerSupervisor.Command(
            executable: configuration.workerExecutable,
            arguments: [
                "worker", "--name", name, "--threads", "\(configuration.workerThreads)", "--exit-with-parent",
                "--log-level", logger.logLevel.rawValue,
            ],
            environment: environment)
        return WorkerSupervisor(
            name: name, command: command, store: store, shutdownGrace: configuration.limits.shutdownGrace,
            logger: logger)
    }

    /// What answers call the daemon.
    static let serverName = "ensemble-registry"

    /// The HTTP application alone, as tests run it.
    static func application(
        _ parts: DaemonParts, configuration: DaemonConfiguration, logger: Logger
    ) -> some ApplicationProtocol {
        let limits = configuration.limits
        let addressFile = configuration.addressFile
        return Application(
            router: router(parts, spoolDirectory: configuration.dataDirectory + "/spool"),
            server: HTTPServerBuilder { DaemonChannel(responder: $0, parts: parts) },
            configuration: ApplicationConfiguration(
                address: .hostname(configuration.host, port: configuration.port), serverName: serverName,
                availableConnectionsDelegate: MaximumAvailableConnections(limits.connections)),
            onServerRunning: { channel in
                guard let address = channel.localAddress, let port = address.port else { return }
                let text = configuration.address(port: port)
                logger.notice("Listening", metadata: ["address": "\(text)"])
                guard let addressFile else { return }
                do {
                    try Data((text + "\n").utf8).write(to: URL(fileURLWithPath: addressFile), options: .atomic)
                } catch {
                    logger.error(
                        "The address file could not be written",
                        metadata: ["path": "\(addressFile)", "error": "\(error)"])
                }
            },
            logger: logger)
    }

    /// All routes; tests drive it without a socket.
    static func router(_ parts: DaemonParts, spoolDirectory: String) -> Router<RegistryRequestContext> {
        let (store, limits) = (parts.store, parts.limits)
        let uploads = Uploads(store: store, limits: limits, spoolDirectory: spoolDirectory)
        let router = Router(context: RegistryRequestContext.self)
        router.add(middleware: ProblemMiddleware())
        HealthRoutes(store: store).add(to: router)
        let authentication = Authentication(tokens: parts.tokens)
        let metadata = router.group(RouterPath(APIPath.metadata)).add(middleware: authentication)
        MetadataRoutes(store: store, watch: parts.watch, limits: limits).add(to: metadata)
        let api = router.group(RouterPath(APIPath.root)).add(middleware: authentication)
        EnsembleRoutes(store: store, uploads: uploads, limits: limits).add(to: api)
        ChampionRowsRoute(store: store, limits: limits).add(to: api)
        PolicyRoutes(store: store, limits: limits).add(to: api)
        SubmissionRoutes(store: store, uploads: uploads, limits: limits).add(to: api)
        DecisionRoutes(store: store, limits: limits).add(to: api)
        ApprovalRoutes(store: store, limits: limits).add(to: api)
        ReplayRoutes(store: store).add(to: api)
        ManifestRoutes(store: store).add(to: api)
        RollbackRoutes(store: store, limits: limits).add(to: api)
        RolloutRoutes(store: store, limits: limits).add(to: api)
        RootRoutes(store: store, limits: limits).add(to: api)
        NodeRoutes(store: store, reports: parts.reports, limits: limits).add(to: api)
        TokenRoutes(store: store, limits: limits, tokens: parts.tokens).add(to: api)
        DashboardSession(tokens: parts.tokens, limits: limits).add(to: router)
        let dashboard = router.group(RouterPath(DashboardSession.root))
            .add(middleware: DashboardSession(tokens: parts.tokens, limits: limits))
        DashboardRoutes(store: store, limits: limits).add(to: dashboard)
        router.add(middleware: OtherMethods(besides: router.routes))
        return router
    }
}

import EnsembleModel
import Foundation
import HTTPServing
import Hummingbird
import HummingbirdCore
public import Logging
import NIOCore
import RegistryClient
import ServiceLifecycle
import Synchronization
import UnixSignals

/// A serving node: follows ensembles and answers for them by the Open Inference Protocol v2.
public struct ServingNode: Sendable {
    /// The version that the node reports.
    public static let version = ProgramVersion.current

    private struct Ensemble {
        let serving: EnsembleServing
        let slots: EnsembleSlots
        let start: FollowingStart
        let status: FollowingStatus
    }

    private let configuration: NodeConfiguration
    private let limits: NodeLimits
    private let logger: Logger
    private let ensembles: [Ensemble]
    private let calls: MemberCalls
    private let caches: RowCaches
    /// Held as long as the node, and with it the lock.
    private let state: StateDirectory
    /// The name under which the node reports.
    let nodeID: String
    private let changes = ChangeSignal()

    /// Locks the state directory and loads what was served last; the registry need not be there.
    ///
    /// - Throws: ``NodeError`` when the state directory is in use or not usable.
    public init(configuration: NodeConfiguration, limits: NodeLimits = NodeLimits(), logger: Logger) throws(NodeError) {
        self.configuration = configuration
        self.limits = limits
        self.logger = logger
        state = try StateDirectory(path: configuration.stateDirectory)
        nodeID = configuration.nodeID ?? state.nodeID(logger: logger)
        let changes = changes
        var memberLimits = MemberLimits()
        memberLimits.jsonDepth = limits.jsonDepth
        memberLimits.timeout = configuration.serving.memberTimeout
        calls = MemberCalls(limits: memberLimits)
        caches = RowCaches(configuration.serving)
        var ensembles: [Ensemble] = []
        for name in configuration.ensembles {
            let slots = try state.slots(of: name, limits: limits)
            let start = try FollowingStart(
                slots, root: configuration.root, pin: configuration.pin, now: Date(),
                logger: logger.with("ensemble", name))
            let serving = EnsembleServing(
                ServedEnsemble(name: name, loaded: start.loaded?.ensemble), calls: calls, caches: caches,
                limits: limits, logger: logger)
            ensembles.append(
                Ensemble(
                    serving: serving, slots: slots, start: start,
                    status: FollowingStatus(ensemble: name, start: start, pin: configuration.pin) { changes.send() }))
        }
        self.ensembles = ensembles
    }

    /// Follows and answers until SIGTERM, SIGINT or the cancellation of the task; then requests in hand are finished
    /// and every connection is closed.
    ///
    /// - Throws: ``NodeError`` with code `cannotListen`.
    public func run() async throws {
        try await run { _ in }
    }

    /// Runs; `onListening` is told the address once the node answers.
    func run(onListening: @escaping @Sendable (NodeConfiguration.ListenAddress) -> Void) async throws {
        let client = try configuration.client(limits: limits)
        let isListening = Atomic(false)
        do {
            try await RegistryClient.withClient(configuration: client, logger: logger) { client in
                let server = server { address in
                    isListening.store(true, ordering: .relaxed)
                    announce(address)
                    onListening(address)
                }
                // They end in reverse order: the calls to members last, when no request needs them any more.
                let watch = FailureWatch(
                    ensembles: ensembles.map { .init(metrics: $0.serving.metrics, status: $0.status) }, limits: limits)
                let services =
                    [calls] + followers(client: client) as [any Service] + [watch, reporter(client: client), server]
                var group = ServiceGroupConfiguration(
                    services: services, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
                group.maximumGracefulShutdownDuration = limits.shutdownGrace
                try await ServiceGroup(configuration: group).run()
            }
        } catch  where !isListening.load(ordering: .relaxed) {
            throw NodeError(
                .cannotListen, "cannot listen on \(configuration.listen): choose another address", cause: error)
        }
    }

    private func followers(client: RegistryClient) -> [Follower] {
        let settings = Follower.Settings(
            node: nodeID, pin: configuration.pin, wait: configuration.wait, limits: limits)
        return ensembles.map { ensemble in
            var settings = settings
            settings.warm = ensemble.serving.warm
            return Follower(
                ensemble.serving.served, start: ensemble.start, slots: ensemble.slots, client: client,
                settings: settings, status: ensemble.status,
                logger: logger.with("ensemble", ensemble.serving.served.name))
        }
    }

    private func reporter(client: RegistryClient) -> StatusReporter {
        let figures = ReportedFigures(ensembles.map(\.serving), caches: caches)
        return StatusReporter(
            node: nodeID, client: client, limits: limits, logger: logger, statuses: ensembles.map(\.status),
            changes: changes, figures: figures.take)
    }

    private func server(
        onListening: @escaping @Sendable (NodeConfiguration.ListenAddress) -> Void
    ) -> some ApplicationProtocol {
        let listen = configuration.listen
        let connection = HTTP1Channel.Configuration(
            additionalChannelHandlers: [EarlyAnswerHandler(linger: limits.earlyAnswerLinger)],
            idleTimeout: .init(limits.idleConnection),
            httpDecoderConfiguration: .init(
                maxHeaderFieldSize: limits.headerBytes, maxHeaderListSize: limits.headerBytes,
                maxHeaderFieldCount: limits.headerFields))
        return Application(
            router: InferenceRoutes(ensembles.map(\.serving), calls: calls, caches: caches, limits: limits).router(),
            server: .http1(configuration: connection),
            configuration: ApplicationConfiguration(
                address: .hostname(listen.host, port: listen.port),
                availableConnectionsDelegate: MaximumAvailableConnections(limits.connections)),
            onServerRunning: { channel in
                onListening(.init(host: listen.host, port: channel.localAddress?.port ?? listen.port))
            },
            logger: logger)
    }

    /// Tells people and scripts where the node listens; with port 0 nobody else knows.
    private func announce(_ address: NodeConfiguration.ListenAddress) {
        logger.notice("Listening", metadata: ["address": "\(address)"])
        guard let file = configuration.addressFile else { return }
        do {
            try DurableFile.write(Array("\(address)\n".utf8), to: URL(fileURLWithPath: file))
        } catch {
            logger.error("Could not write the address file", metadata: ["reason": "\(error)"])
        }
    }
}

extension Logger {
    /// A logger that says this with every line.
    fileprivate func with(_ key: String, _ value: String) -> Logger {
        var logger = self
        logger[metadataKey: key] = "\(value)"
        return logger
    }
}

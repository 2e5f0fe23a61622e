import EnsembleModel
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import NIOCore
import NIOFoundationCompat
import RegistryAPI
import RegistryClient
import RegistryTesting
import Synchronization
import Trust

@testable import ServingNode

/// A registry as nodes see it: signed files, answered from memory over a real socket, and reports taken.
final class RegistryStandIn: Sendable {
    struct State: Sendable {
        var repository: SignedRepository
        /// What nodes are installed with; the repository's first root if nil.
        var installedRoot: [UInt8]?
        /// Files by their path below `/tuf/digits/`.
        var files: [String: [UInt8]] = [:]
        /// What the newest timestamp speaks of.
        var position: ManifestPosition?
        /// The share of the nodes that it states.
        var rollout: Int?
        /// Answered to every request.
        var problem: Problem?
        /// Paths below `/tuf/digits/` asked for, with their queries.
        var requests: [String] = []
        var reports: [(node: String, report: NodeReport)] = []
        /// Reports that were sent, taken or not.
        var reportAttempts = 0
        /// Answers held.
        var waiting: [AsyncStream<Void>.Continuation] = []
    }

    private let current: Mutex<State>
    /// Called with the path of each signed file before it is answered.
    private let onRequest: @Sendable (String) -> Void

    init(onRequest: @escaping @Sendable (String) -> Void = { _ in }) throws {
        current = Mutex(State(repository: try SignedRepository()))
        self.onRequest = onRequest
    }

    var state: State { current.withLock { $0 } }
    /// What nodes are installed with.
    var root: [UInt8] { state.installedRoot ?? state.repository.roots.first?.bytes ?? [] }
    /// Requests for files whose path holds this.
    func requests(_ part: String) -> Int { state.requests.count { $0.contains(part) } }

    func change(_ body: (inout State) throws -> Void) rethrows {
        let waiting = try current.withLock { state in
            try body(&state)
            defer { state.waiting = [] }
            return state.waiting
        }
        for answer in waiting { answer.finish() }
    }

    /// Signs and serves a release.
    ///
    /// - Parameters:
    ///   - position: said by the timestamp instead of the release's own.
    ///   - signer: a root whose keys sign; the newest if nil.
    ///   - name: the ensemble that is signed for.
    func publish(
        _ release: Release, bytes: [UInt8]? = nil, position: ManifestPosition? = nil, rollout: Int? = nil,
        signer: [UInt8]? = nil, for name: String? = nil
    ) throws {
        let own = ManifestPosition(generation: release.manifest.generation, sequence: release.manifest.sequence)
        try change { state in
            let files = try state.repository.publish(
                manifest: bytes ?? release.bytes, combiner: release.combiner.text, position: position ?? own,
                rollout: rollout, signer: signer, for: name)
            state.files.merge(files) { $1 }
            state.position = position ?? own
            state.rollout = rollout
        }
    }

    /// Serves the files of a folder, which are another repository's, and no others.
    func serve(_ folder: URL) throws {
        let files = try FileManager.default.subpathsOfDirectory(atPath: folder.path).filter { $0.contains(".") }
        let served = try Dictionary(
            uniqueKeysWithValues: files.map { path in
                (path, Array(try Data(contentsOf: folder.appendingPathComponent(path))))
            })
        change { state in
            state.installedRoot = state.installedRoot ?? served["metadata/1.root.json"]
            state.files = served
        }
    }

    /// Changes the bytes of the one file whose path ends like this.
    func alter(_ suffix: String, _ body: (inout [UInt8]) -> Void) throws {
        try change { state in
            let paths = state.files.keys.filter { $0.hasSuffix(suffix) }
            guard paths.count == 1, let path = paths.first, var bytes = state.files[path] else {
                throw MalformedFixture("there are \(paths.count) files \(suffix)")
            }
            body(&bytes)
            state.files[path] = bytes
        }
    }

    func router() -> Router<BasicRequestContext> {
        let router = Router()
        router.get("/tuf/digits/**") { request, context in
            let path = context.parameters.getCatchAll().joined(separator: "/")
            let query = request.uri.query.map { "?\($0)" } ?? ""
            self.change { $0.requests.append(path + query) }
            self.onRequest(path)
            if let after = request.uri.queryParameters["after"],
                request.headers.contains(where: { $0.name.canonicalName == "prefer" })
            {
                try await self.hold(String(after), request.uri.queryParameters["rollout"].map { String($0) })
            }
            let state = self.state
            guard state.problem == nil, let bytes = state.files[path] else {
                return try Self.answer(state.problem ?? Problem(.notFound, detail: "there is no \(path)"))
            }
            return Response(status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
        }
        router.post("/api/v1/nodes/:id/status") { request, context in
            let body = try await request.body.collect(upTo: 1 << 20)
            let status = try APIJSON.decoder().decode(NodeStatusRequest.self, from: body)
            let node = try context.parameters.require("id")
            self.change { $0.reportAttempts += 1 }
            if let problem = self.state.problem { return try Self.answer(problem) }
            self.change { $0.reports += status.ensembles.map { (node, $0) } }
            return Response(status: .noContent)
        }
        return router
    }

    /// Runs `body` with the arguments of a `registry-node` in a folder that follows this registry.
    func serve(nodeIn folder: URL, _ body: @escaping @Sendable ([String]) async throws -> Void) async throws {
        let application = Application(
            router: router(), configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            logger: FollowerFixture.logger)
        let file = folder.appendingPathComponent("root.json")
        try Data(root).write(to: file)
        try await application.test(.live) { http in
            guard let port = http.port else { throw MalformedFixture("the stand-in has no port") }
            try await body([
                "run", "--registry", "http://127.0.0.1:\(port)", "--ensemble", "digits", "--state",
                folder.appendingPathComponent("state").path, "--listen", "127.0.0.1:0", "--root", file.path,
                "--wait-seconds", "30",
            ])
            // Answers that are still held would keep the server.
            self.change { $0.position = nil }
        }
    }

    /// Waits until the newest manifest is another.
    private func hold(_ after: String, _ rollout: String?) async throws {
        func isNews(_ state: State) -> Bool {
            state.position?.description != after || state.problem != nil
                || rollout != nil && rollout != state.rollout.map { "\($0)" }
        }
        while !isNews(state) {
            let (stream, continuation) = AsyncStream<Void>.makeStream()
            let isHeld = current.withLock { state in
                guard !isNews(state) else { return false }
                state.waiting.append(continuation)
                return true
            }
            if isHeld { for await _ in stream {} }
            try Task.checkCancellation()
        }
    }

    private static func answer(_ problem: Problem) throws -> Response {
        try Response(
            status: .init(code: problem.status), headers: [.contentType: "application/problem+json"],
            body: ResponseBody(byteBuffer: ByteBuffer(data: APIJSON.encoder().encode(problem))))
    }
}

/// A manifest with its combiner.
struct Release: Sendable {
    static let classes = ["cat", "dog", "eel"]

    let manifest: Manifest
    let bytes: [UInt8]
    let combiner: Combiner

    var digest: ContentDigest { .of(bytes) }

    init(
        _ sequence: Int, _ model: TextModel = .two, generation: Int = 1, after previous: Release? = nil,
        classes: [String] = Release.classes, combiner reference: Manifest.CombinerReference? = nil,
        change: (inout Manifest) throws -> Void = { _ in }
    ) throws {
        try self.init(
            sequence, model.combiner, members: model.members, columns: .probability, generation: generation,
            after: previous, classes: classes, combiner: reference, change: change)
    }

    /// - Parameter change: applied to a manifest that is right, so that it becomes wrong in one way.
    init(
        _ sequence: Int, _ combiner: Combiner, members memberCount: Int, columns: Policy.Columns, generation: Int = 1,
        after previous: Release? = nil, classes: [String] = Release.classes,
        combiner reference: Manifest.CombinerReference? = nil, change: (inout Manifest) throws -> Void = { _ in }
    ) throws {
        self.combiner = combiner
        let members = try ["knn", "minilm", "svm"].prefix(memberCount).map {
            try Manifest.Member(id: ModelVersionID(name: $0, version: "1"), metadata: ModelMetadata())
        }
        var manifest = try Manifest(
            ensemble: "digits", generation: generation, sequence: sequence, previousSHA256: previous?.digest,
            createdAt: 1_700_000_000,
            reason: sequence == 1 ? .founding : .admit, admission: .shapleyTopK, decisionID: Int64(sequence),
            classes: classes,
            members: members, combiner: reference ?? Manifest.CombinerReference(combiner),
            columns: columns, golden: combiner.golden)
        try change(&manifest)
        self.manifest = manifest
        bytes = try manifest.canonicalBytes()
    }

    func document(limits: NodeLimits = NodeLimits()) throws -> ManifestDocument {
        try ManifestDocument(bytes: bytes, ensemble: "digits", limits: limits)
    }

    func loaded(limits: NodeLimits = NodeLimits()) throws -> LoadedEnsemble {
        try LoadedEnsemble(document(), combinerText: combiner.text, limits: limits)
    }
}

/// A follower of ensemble `digits` with a registry to follow and a directory of its own.
struct FollowerFixture: Sendable {
    let registry: RegistryStandIn
    let served: ServedEnsemble
    let slots: EnsembleSlots
    let folder: URL
    let client: RegistryClient
    let status: FollowingStatus
    let follower: Follower
    let clock: TestClock

    static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// Runs `body`; everything is closed and removed afterwards.
    ///
    /// - Parameters:
    ///   - folder: what the registry serves; nothing if nil.
    ///   - now: when it begins.
    static func with(
        serving folder: URL? = nil, at now: Date = SignedRepository.start, logger: Logger = logger,
        _ change: @escaping @Sendable (inout Follower.Settings) -> Void = { _ in },
        _ body: @Sendable (FollowerFixture) async throws -> Void
    ) async throws {
        let registry = try RegistryStandIn()
        if let folder { try registry.serve(folder) }
        let directory = try ScratchDirectory.make()
        defer { try? FileManager.default.removeItem(at: directory) }
        let application = Application(
            router: registry.router(), configuration: .init(address: .hostname("127.0.0.1", port: 0)), logger: logger)
        try await application.test(.live) { http in
            guard let port = http.port else { throw MalformedFixture("the stand-in has no port") }
            let configuration = try RegistryClientConfiguration(baseURL: "http://127.0.0.1:\(port)", retries: .never)
            try await RegistryClient.withClient(configuration: configuration) { client in
                try await body(
                    FollowerFixture(
                        registry: registry, folder: directory.appendingPathComponent("digits"), client: client,
                        clock: TestClock(now), logger: logger, change))
            }
            // Answers that are still held would keep the server.
            registry.change { $0.problem = Problem(.busy, detail: "over") }
        }
    }

    private init(
        registry: RegistryStandIn, folder: URL, client: RegistryClient, clock: TestClock, logger: Logger,
        _ change: (inout Follower.Settings) -> Void
    ) throws {
        self.registry = registry
        self.folder = folder
        self.client = client
        self.clock = clock
        var settings = Follower.Settings(node: "n")
        settings.now = { clock.now }
        change(&settings)
        slots = try EnsembleSlots(ensemble: "digits", directory: folder, limits: settings.limits)
        let start = try FollowingStart(
            slots, root: { registry.root }, pin: settings.pin, now: clock.now, logger: logger)
        served = ServedEnsemble(name: "digits", loaded: start.loaded?.ensemble)
        status = FollowingStatus(ensemble: "digits", start: start, pin: settings.pin)
        follower = Follower(
            served, start: start, slots: slots, client: client, settings: settings, status: status, logger: logger)
    }

    /// The same node after a restart.
    func restarted(
        logger: Logger = logger, _ change: @Sendable (inout Follower.Settings) -> Void = { _ in }
    ) throws -> FollowerFixture {
        try FollowerFixture(
            registry: registry, folder: folder, client: client, clock: clock, logger: logger, change)
    }

    /// What a node that starts now would serve.
    var onDisk: LoadedEnsemble? { slots.load(now: clock.now, logger: Self.logger)?.ensemble }
    /// What is reported now.
    var report: NodeReport { status.report(now: clock.now) }

    /// The outcome of one poll in words.
    func poll() async -> String { await follower.poll().summary }

    func publish(_ release: Release, rollout: Int? = nil) throws { try registry.publish(release, rollout: rollout) }

    /// Makes the next attempt to write a file fail as a full disk does.
    func fillDisk(under name: String) throws {
        try FileManager.default.createSymbolicLink(
            atPath: folder.appendingPathComponent(name + DurableFile.unfinishedSuffix).path,
            withDestinationPath: "/dev/full")
    }
}

/// A time that stands still until it is moved.
final class TestClock: Sendable {
    private let time: Mutex<Date>

    init(_ now: Date) { time = Mutex(now) }

    var now: Date { time.withLock { $0 } }
    func advance(seconds: Double) { time.withLock { $0 += seconds } }
}

extension Follower.Outcome {
    /// The outcome in one word, with the code of its error.
    var summary: String {
        switch self {
        case .unchanged(.running): "unchanged"
        case .unchanged(.refused): "unchanged refused"
        case .unchanged(let decision): "unchanged \(decision)"
        case .activated(let sequence): "activated \(sequence)"
        case .refused(let setback): "refused \(setback.stage.rawValue) \(setback.code)"
        case .failed(let setback): "failed \(setback.stage.rawValue) \(setback.code)"
        }
    }
}

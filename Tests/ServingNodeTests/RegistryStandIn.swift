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

@testable import ServingNode

/// The routes of a registry that a node asks, answered from memory over a real socket.
final class RegistryStandIn: Sendable {
    struct Published: Sendable {
        var manifest: [UInt8]?
        /// Answered instead of any manifest.
        var problem: Problem?
        /// Announced instead of the manifest's own digest.
        var tag: ContentDigest?
        var combiners: [ContentDigest: [UInt8]] = [:]
        var manifestAnswers: [Int] = []
        var combinerRequests = 0
    }

    private let published = Mutex(Published())

    var state: Published { published.withLock { $0 } }

    func change(_ body: (inout Published) -> Void) { published.withLock { body(&$0) } }

    func publish(_ release: Release) {
        change {
            $0.manifest = release.bytes
            $0.tag = nil
            $0.combiners[release.combiner.digest] = release.combiner.text
        }
    }

    func router() -> Router<BasicRequestContext> {
        let router = Router()
        router.get("/api/v1/ensembles/:name/manifest") { request, _ in
            let response = try self.manifest(request)
            self.change { $0.manifestAnswers.append(response.status.code) }
            return response
        }
        router.get("/api/v1/combiners/:sha256") { _, context in
            self.change { $0.combinerRequests += 1 }
            let digest = try ContentDigest(hex: context.parameters.require("sha256"))
            guard let text = self.state.combiners[digest] else { throw HTTPError(.notFound) }
            return Response(status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(bytes: text)))
        }
        return router
    }

    private func manifest(_ request: Request) throws -> Response {
        let state = state
        guard state.problem == nil, let manifest = state.manifest else {
            let problem = state.problem ?? Problem(.notFounded, detail: "'digits' has no champion yet")
            return try Response(
                status: .init(code: problem.status), headers: [.contentType: "application/problem+json"],
                body: ResponseBody(byteBuffer: ByteBuffer(data: APIJSON.encoder().encode(problem))))
        }
        let tag = "\"\((state.tag ?? .of(manifest)).hex)\""
        if request.headers[.ifNoneMatch] == tag { return Response(status: .notModified, headers: [.eTag: tag]) }
        return Response(status: .ok, headers: [.eTag: tag], body: ResponseBody(byteBuffer: ByteBuffer(bytes: manifest)))
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
    let follower: Follower

    static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// Runs `body`; everything is closed and removed afterwards.
    static func with(
        logger: Logger = logger, warm: @escaping @Sendable (LoadedEnsemble) async -> Void = { _ in },
        _ body: @Sendable (FollowerFixture) async throws -> Void
    ) async throws {
        let registry = RegistryStandIn()
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
                        registry: registry, directory: directory, client: client, logger: logger, warm: warm))
            }
        }
    }

    private init(
        registry: RegistryStandIn, directory: URL, client: RegistryClient, logger: Logger,
        warm: @escaping @Sendable (LoadedEnsemble) async -> Void
    ) throws {
        self.registry = registry
        served = ServedEnsemble(name: "digits")
        slots = try EnsembleSlots(
            ensemble: "digits", directory: directory.appendingPathComponent("digits"), limits: NodeLimits())
        follower = Follower(
            served, slots: slots, client: client, interval: .seconds(2), limits: NodeLimits(), logger: logger,
            warm: warm)
    }

    /// What a node that starts now would serve.
    var onDisk: LoadedEnsemble? { slots.load(logger: Self.logger) }
}

extension Follower.Outcome {
    /// The outcome in one word, with the code of its error.
    var summary: String {
        switch self {
        case .unchanged: "unchanged"
        case .activated(let sequence): "activated \(sequence)"
        case .refused(let error): "refused \(error.code.rawValue)"
        case .failed(let error): "failed \(error.code.rawValue)"
        }
    }
}

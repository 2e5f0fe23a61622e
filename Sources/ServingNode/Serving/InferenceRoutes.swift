import EnsembleModel
import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import NIOFoundationCompat

/// The Open Inference Protocol v2 over HTTP, for the ensembles of a node.
struct InferenceRoutes {
    private let ensembles: [String: EnsembleServing]
    private let metrics: NodeMetrics
    private let limits: NodeLimits
    private let bodies: ByteBudget

    init(_ ensembles: [EnsembleServing], calls: MemberCalls, caches: RowCaches, limits: NodeLimits) {
        self.ensembles = Dictionary(uniqueKeysWithValues: ensembles.map { ($0.served.name, $0) })
        metrics = NodeMetrics(ensembles: ensembles, calls: calls, caches: caches)
        self.limits = limits
        bodies = ByteBudget(limit: limits.bodyBytesTogether)
    }

    /// A router with all routes and the protocol's form of errors.
    func router() -> Router<BasicRequestContext> {
        let router = Router()
        router.add(middleware: ProtocolErrors())
        router.get("/metrics") { _, _ in
            Response(
                status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
                body: ResponseBody(byteBuffer: ByteBuffer(string: metrics.text(now: .now))))
        }
        router.get("/v2", use: server)
        router.get("/v2/health/live", use: live)
        router.get("/v2/health/ready", use: ready)
        for path in ["/v2/models/:ensemble", "/v2/models/:ensemble/versions/:version"] {
            let model = router.group(RouterPath(path))
            model.get("", use: metadata)
            model.get("ready", use: modelReady)
            model.post("infer", use: infer)
        }
        return router
    }

    @Sendable private func server(_ request: Request, _ context: BasicRequestContext) throws -> Response {
        try .json(Metadata.Server())
    }

    @Sendable private func live(_ request: Request, _ context: BasicRequestContext) throws -> Response {
        try .json(["live": true])
    }

    /// Ready once a champion is loaded for every ensemble: its golden rows agreed then.
    ///
    /// Members that are left alone after failures are told, and do not make the node unready: it answers without them,
    /// every other node calls the same members, and requests that bring members' outputs need none.
    @Sendable private func ready(_ request: Request, _ context: BasicRequestContext) throws -> Response {
        struct Ready: Encodable {
            var ready = true
            var degraded: [String]?
        }
        let waiting = ensembles.values.filter { $0.served.current == nil }.map(\.served.name).sorted()
        guard waiting.isEmpty else {
            throw NodeError(.notReady, "nothing to serve yet for \(waiting.joined(separator: ", "))")
        }
        let degraded = metrics.membersLeftAlone
        return try .json(Ready(degraded: degraded.isEmpty ? nil : degraded))
    }

    @Sendable private func metadata(_ request: Request, _ context: BasicRequestContext) throws -> Response {
        try .json(Metadata.Model(loaded(context)))
    }

    @Sendable private func modelReady(_ request: Request, _ context: BasicRequestContext) throws -> Response {
        struct Ready: Encodable {
            var name: String
            var ready = true
        }
        return try .json(Ready(name: loaded(context).manifest.ensemble))
    }

    @Sendable private func infer(_ request: Request, _ context: BasicRequestContext) async throws -> Response {
        let serving = try serving(context)
        let start = ContinuousClock.now
        do {
            let response = try await answer(request, context)
            serving.metrics.requests.add(200)
            serving.metrics.latency.record(since: start)
            return response
        } catch {
            serving.metrics.requests.add((error as? NodeError)?.code.status.code ?? 500)
            throw error
        }
    }

    private func answer(_ request: Request, _ context: BasicRequestContext) async throws -> Response {
        _ = try loaded(context)
        let declared = request.headers[.contentLength].flatMap { Int($0) } ?? limits.bodyBytes
        guard declared <= limits.bodyBytes else { throw Self.tooLarge(limits) }
        return try await bodies.with(declared) {
            let body: ByteBuffer
            do {
                body = try await request.body.collect(upTo: limits.bodyBytes)
            } catch is NIOTooManyBytesError {
                throw Self.tooLarge(limits)
            }
            // Taken once the request is here whole: everything in the answer is from this one champion.
            return try await answer(
                Array(body.readableBytesView), jsonLength: BinaryData.headerName.flatMap { request.headers[$0] },
                by: loaded(context), of: serving(context))
        }
    }

    private func answer(
        _ body: [UInt8], jsonLength: String?, by loaded: LoadedEnsemble, of serving: EnsembleServing
    ) async throws(NodeError) -> Response {
        let request = try InferenceRequest(
            body: body, jsonLength: jsonLength, limits: limits, isRaw: loaded.isRaw)
        let outputs = try OutputTensor.wanted(by: request)
        let answer = try await serving.answer(request, by: loaded)
        let response = InferenceResponse(answer, of: loaded, to: request, outputs: outputs)
        let bytes = ByteBuffer(bytes: response.bytes)
        guard let jsonLength = response.jsonLength, let name = BinaryData.headerName else { return .json(bytes: bytes) }
        return Response(
            status: .ok, headers: [.contentType: "application/octet-stream", name: "\(jsonLength)"],
            body: ResponseBody(byteBuffer: bytes))
    }

    /// The ensemble that the path names.
    private func serving(_ context: BasicRequestContext) throws(NodeError) -> EnsembleServing {
        let name = context.parameters.get("ensemble") ?? ""
        guard let serving = ensembles[name] else {
            throw NodeError(
                .notFound,
                "model '\(name.prefix(128))' is not served here; "
                    + "there is \(ensembles.keys.sorted().joined(separator: ", "))"
            )
        }
        return serving
    }

    /// The champion that the path names.
    private func loaded(_ context: BasicRequestContext) throws(NodeError) -> LoadedEnsemble {
        let served = try serving(context).served
        guard let loaded = served.current else {
            throw NodeError(.notReady, "nothing to serve yet for '\(served.name)'")
        }
        if let version = context.parameters.get("version"), version != "\(loaded.manifest.sequence)" {
            throw NodeError(
                .notFound,
                "version '\(version.prefix(40))' of '\(served.name)' is not served; "
                    + "the current one is \(loaded.manifest.sequence)"
            )
        }
        return loaded
    }

    private static func tooLarge(_ limits: NodeLimits) -> NodeError {
        NodeError(.tooLarge, "the body is larger than \(limits.bodyBytes) bytes: send fewer rows a request")
    }
}

extension BinaryData {
    fileprivate static let headerName = HTTPField.Name(header)
}

extension Response {
    /// An answer in JSON with sorted keys.
    static func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try .json(bytes: ByteBuffer(data: encoder.encode(value)), status: status)
    }

    /// An answer of JSON that is written already.
    static func json(bytes: ByteBuffer, status: HTTPResponse.Status = .ok) -> Response {
        Response(status: status, headers: [.contentType: "application/json"], body: ResponseBody(byteBuffer: bytes))
    }
}

import EnsembleModel
import Foundation
import HTTPTypes
import Hummingbird
import RegistryAPI
import RegistryStore
import ServiceLifecycle

/// Submissions and their evaluations.
struct SubmissionRoutes {
    let store: RegistryStore
    let uploads: Uploads
    let limits: DaemonLimits

    func add(to router: RouterGroup<RegistryRequestContext>) {
        router.post("ensembles/:name/submissions", use: submit)
        router.get("ensembles/:name/submissions", use: list)
        router.get("submissions/:id", use: show)
        router.get("evaluations/:id", use: showEvaluation)
        router.post("evaluations/:id/retry", use: retry)
    }

    @Sendable private func submit(_ request: Request, _ context: RegistryRequestContext) async throws -> Response {
        let identity = try context.require(.submit)
        let ensemble = try await store.ensemble(context.parameter("name"))
        let query = request.uri.queryParameters
        guard let text = query.get("model") else {
            throw Problem(.badRequest, detail: "say which model version this is: ?model=NAME@VERSION")
        }
        let model = try ModelVersionID(text)
        try request.refuseUnknownParameters(besides: ["model"] + ModelMetadata.parameterNames)
        var metadata = try ModelMetadata(query: query)
        if let registered = try await store.metadata(of: model) { metadata = metadata.completed(by: registered) }
        // A member's version is as it was registered, perhaps before there was such a budget.
        if !ensemble.members.contains(model) { try requireDeclaredCosts(metadata, policy: ensemble.policy) }
        let key = request.headers[.idempotencyKey]
        if let key, !(1...200).contains(key.utf8.count) {
            throw Problem(.badRequest, detail: "Idempotency-Key must have 1 to 200 bytes")
        }
        let (record, accepted) = try await uploads.receivePredictions(
            request, ensemble: ensemble, model: model, metadata: metadata, idempotencyKey: key, actor: identity.name)
        return try .json(record, status: accepted ? .accepted : .ok)
    }

    /// What the budget limits must be declared: an undeclared cost would count as nothing.
    private func requireDeclaredCosts(_ metadata: ModelMetadata, policy: Policy) throws {
        if policy.budget.latencyMilliseconds != nil, metadata.latencyNanoseconds == nil {
            throw Problem(
                .invalidUpload,
                detail: "the ensemble has a latency budget: declare the model's latency (--latency-ms, latency_ms)")
        }
        if policy.budget.costUSDPer10k != nil, metadata.costNanoUSDPerRow == nil {
            throw Problem(
                .invalidUpload,
                detail:
                    "the ensemble has a cost budget: declare the model's cost (--cost-usd-per-10k, cost_usd_per_10k)")
        }
    }

    @Sendable private func list(_ request: Request, _ context: RegistryRequestContext) async throws -> Response {
        try context.require(.read, .submit)
        let page = try PageRequest(request, limits: limits)
        let items = try await store.submissions(
            ensemble: context.parameter("name"), after: page.afterID(), limit: page.limit + 1)
        return try .json(page.cut(items, key: \.id))
    }

    @Sendable private func show(_ request: Request, _ context: RegistryRequestContext) async throws -> Response {
        try context.require(.read, .submit)
        let id = try context.identifier("id")
        let record = try await poll(request) {
            try await store.submission(id)
        } isFinal: {
            $0.state.isFinal
        }
        return try .json(record)
    }

    @Sendable private func showEvaluation(_ request: Request, _ context: RegistryRequestContext) async throws
        -> Response
    {
        try context.require(.read, .submit, .audit)
        let id = try context.identifier("id")
        let record = try await poll(request) {
            try await store.evaluation(id)
        } isFinal: {
            $0.state.isFinal
        }
        return try .json(record)
    }

    @Sendable private func retry(_ request: Request, _ context: RegistryRequestContext) async throws -> Response {
        let identity = try context.require(.submit)
        return try .json(
            await store.retry(evaluation: context.identifier("id"), actor: identity.name), status: .accepted)
    }

    /// With `?wait=SECONDS`, holds the answer until the value changes, is final, or the time ends.
    private func poll<Value: Equatable>(
        _ request: Request, read: () async throws -> Value, isFinal: (Value) -> Bool
    ) async throws -> Value {
        let first = try await read()
        guard let text = request.uri.queryParameters.get("wait") else { return first }
        guard let seconds = Double(text), seconds.isFinite, seconds >= 0 else {
            throw Problem(.badRequest, detail: "wait is '\(text.prefix(20))'; it is a number of seconds")
        }
        // Clamped first: a Duration of too many seconds traps.
        let deadline = ContinuousClock.now + min(.seconds(min(seconds, 86_400)), limits.pollWait)
        var value = first
        while value == first, !isFinal(value), ContinuousClock.now < deadline, !Task.isShuttingDownGracefully {
            try await Task.sleep(for: limits.pollInterval)
            value = try await read()
        }
        return value
    }
}

extension ModelMetadata {
    /// The query parameters that a submission's metadata is read from.
    static let parameterNames = [
        "kind", "description", "artifact", "sha256", "endpoint", "latency_ms", "cost_usd_per_10k", "tag",
    ]

    /// Reads the metadata of a submission from its query.
    ///
    /// - Throws: ``Problem`` `bad_request` naming the parameter.
    init(query: Parameters) throws {
        func number(_ name: String, scale: Double) throws -> Int64? {
            guard let text = query.get(name) else { return nil }
            guard let value = Double(text), value.isFinite, value >= 0, value * scale < 9e15 else {
                throw Problem(
                    .badRequest, detail: "\(name) is '\(text.prefix(40))'; it must be a number that is not negative")
            }
            return Int64((value * scale).rounded())
        }
        func endpoint() throws -> String? {
            guard let value = try text("endpoint") else { return nil }
            guard let url = URLComponents(string: value), let scheme = url.scheme, url.host?.isEmpty == false,
                ["http", "https", "grpc", "grpcs"].contains(scheme.lowercased())
            else {
                throw Problem(
                    .badRequest,
                    detail:
                        "endpoint '\(value.prefix(60))' is no address such as http://models.example:8080"
                )
            }
            return value
        }
        func text(_ name: String) throws -> String? {
            guard let value = query.get(name) else { return nil }
            guard (1...2_000).contains(value.utf8.count) else {
                throw Problem(.badRequest, detail: "\(name) must have 1 to 2,000 bytes")
            }
            return value
        }
        var tags: [String: String] = [:]
        for tag in query.getAll("tag") {
            let parts = tag.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, !parts[0].isEmpty, tag.utf8.count <= 1_000, tags.count < 64 else {
                throw Problem(
                    .badRequest, detail: "tag '\(tag.prefix(40))' is not key=value (at most 64 tags of 1,000 bytes)")
            }
            tags[parts[0]] = parts[1]
        }
        self.init(
            kind: try text("kind"), description: try text("description"), artifactURI: try text("artifact"),
            artifactSHA256: try text("sha256").map { try ContentDigest(hex: $0) }, endpoint: try endpoint(),
            latencyNanoseconds: try number("latency_ms", scale: 1e6),
            costNanoUSDPerRow: try number("cost_usd_per_10k", scale: 1e5), tags: tags)
    }
}

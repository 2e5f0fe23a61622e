import EnsembleModel
import HTTPTypes
import Hummingbird
import NIOCore
import RegistryAPI
import RegistryStore

/// Models, decisions, promotions.
struct DecisionRoutes {
    let store: RegistryStore
    let limits: DaemonLimits

    func add(to router: RouterGroup<RegistryRequestContext>) {
        router.get("models", use: listModels)
        router.get("models/:model", use: showModel)
        router.get("ensembles/:name/decisions", use: listDecisions)
        router.get("ensembles/:name/promotions", use: listPromotions)
        router.get("decisions/:id", use: showDecision)
        router.get("decisions/:id/evidence", use: evidence)
        router.get("decisions/:id/sealed-evidence", use: sealedEvidence)
    }

    @Sendable private func listModels(_ request: Request, _ context: RegistryRequestContext) async throws -> Response {
        try context.require(.read)
        let page = try PageRequest(request, limits: limits)
        let after = try page.after.map { try ModelVersionID($0) }
        return try .json(page.cut(await store.models(after: after, limit: page.limit + 1), key: \.id))
    }

    @Sendable private func showModel(_ request: Request, _ context: RegistryRequestContext) async throws -> Response {
        try context.require(.read)
        return try .json(await store.model(ModelVersionID(context.parameter("model"))))
    }

    @Sendable private func listDecisions(_ request: Request, _ context: RegistryRequestContext) async throws -> Response
    {
        try context.require(.read, .submit, .audit)
        let page = try PageRequest(request, limits: limits)
        let items = try await store.decisions(
            ensemble: context.parameter("name"), after: page.afterID(), limit: page.limit + 1)
        return try .json(page.cut(items, key: \.id))
    }

    @Sendable private func listPromotions(_ request: Request, _ context: RegistryRequestContext) async throws
        -> Response
    {
        try context.require(.read)
        let page = try PageRequest(request, limits: limits)
        let items = try await store.promotions(
            ensemble: context.parameter("name"), after: page.afterID().map { Int($0) }, limit: page.limit + 1)
        return try .json(page.cut(items, key: \.sequence))
    }

    @Sendable private func showDecision(_ request: Request, _ context: RegistryRequestContext) async throws -> Response
    {
        try context.require(.read, .submit, .audit)
        return try .json(await store.decision(context.identifier("id")))
    }

    @Sendable private func evidence(_ request: Request, _ context: RegistryRequestContext) async throws -> Response {
        try context.require(.read, .submit, .audit)
        return try await json(store.evidence(decision: context.identifier("id")))
    }

    /// Whoever sees figures of sealed rows can climb on them: auditors only, and every reading is on record.
    @Sendable private func sealedEvidence(
        _ request: Request, _ context: RegistryRequestContext
    ) async throws -> Response {
        let identity = try context.require(.audit)
        var response = try await json(
            store.sealedEvidence(decision: context.identifier("id"), reader: identity.name))
        response.headers[.cacheControl] = "no-store"
        return response
    }

    private func json(_ bytes: [UInt8]) -> Response {
        Response(
            status: .ok, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }
}

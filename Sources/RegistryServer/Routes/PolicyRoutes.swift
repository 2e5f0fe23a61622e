import EnsembleModel
import Foundation
import HTTPTypes
import Hummingbird
import NIOFoundationCompat
import RegistryAPI
import RegistryStore

/// An ensemble's policy: show, set, history.
struct PolicyRoutes {
    let store: RegistryStore
    let limits: DaemonLimits

    func add(to router: RouterGroup<RegistryRequestContext>) {
        router.get("ensembles/:name/policy", use: show)
        router.put("ensembles/:name/policy", use: set)
        router.get("ensembles/:name/policies", use: history)
    }

    @Sendable private func show(_ request: Request, _ context: RegistryRequestContext) async throws -> Response {
        try context.require(.read, .submit)
        try request.refuseUnknownParameters(besides: ["version"])
        let version = try request.uri.queryParameters.get("version").map { text in
            guard let number = Int(text), (1...Int(Int32.max)).contains(number) else {
                throw Problem(.badRequest, detail: "version is '\(text.prefix(20))'; it is a number from 1 on")
            }
            return number
        }
        return try .json(await store.policy(ensemble: context.parameter("name"), version: version))
    }

    @Sendable private func set(_ request: Request, _ context: RegistryRequestContext) async throws -> Response {
        let identity = try context.require(.admin)
        let body = try await Data(buffer: request.body.collect(upTo: limits.jsonBytes))
        let wanted = try Self.decode(SetPolicyRequest.self, from: body)
        let reason = wanted.reason ?? ""
        guard reason.unicodeScalars.count <= limits.reasonLength else {
            throw Problem(.badRequest, detail: "a reason has at most \(limits.reasonLength) characters")
        }
        let (record, isNew) = try await store.setPolicy(
            ensemble: context.parameter("name"), policy: wanted.policy, reason: reason, actor: identity.name)
        return try .json(record, status: isNew ? .created : .ok)
    }

    @Sendable private func history(_ request: Request, _ context: RegistryRequestContext) async throws -> Response {
        try context.require(.read)
        let page = try PageRequest(request, limits: limits)
        let items = try await store.policies(
            ensemble: context.parameter("name"), after: page.afterID().map { Int(clamping: $0) }, limit: page.limit + 1)
        return try .json(page.cut(items, key: \.version))
    }

    /// Reads the JSON of a policy, or of something that holds one.
    ///
    /// - Throws: `EnsembleModelError` naming the switch; ``Problem`` `invalid_policy`.
    static func decode<Value: Decodable>(_ type: Value.Type, from data: Data) throws -> Value {
        do {
            return try APIJSON.decoder().decode(type, from: data)
        } catch let error as EnsembleModelError {
            throw error
        } catch {
            throw Problem(
                .invalidPolicy, detail: "the policy is not the JSON of a policy: \(DecodingProblem.describe(error))")
        }
    }
}

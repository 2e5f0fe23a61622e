import EnsembleModel
import Foundation
import Hummingbird
import NIOFoundationCompat
import RegistryAPI
import RegistryStore

/// How far the newest manifest has reached the nodes, and a hand on it.
struct RolloutRoutes {
    let store: RegistryStore
    let limits: DaemonLimits

    func add(to router: RouterGroup<RegistryRequestContext>) {
        router.get("ensembles/:name/rollout", use: show)
        router.post("ensembles/:name/rollout", use: steer)
    }

    @Sendable private func show(_ request: Request, _ context: RegistryRequestContext) async throws -> Response {
        try context.require(.read)
        return try .json(await store.rollout(ensemble: context.parameter("name"), now: Date()))
    }

    @Sendable private func steer(_ request: Request, _ context: RegistryRequestContext) async throws -> Response {
        let identity = try context.require(.admin)
        let wanted = try await request.decode(RolloutRequest.self, limits: limits)
        let rollout = try await store.steerRollout(
            ensemble: context.parameter("name"), wanted.action, reason: try limits.checkedReason(wanted.reason),
            actor: identity.name, now: Date())
        return try .json(rollout)
    }
}

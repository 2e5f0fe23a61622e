import EnsembleModel
import Hummingbird
import RegistryStore

/// Replays: for auditors, since what differs may be of sealed rows.
struct ReplayRoutes {
    let store: RegistryStore

    func add(to router: RouterGroup<RegistryRequestContext>) {
        router.post("decisions/:id/replay", use: request)
        router.get("evaluations/:id/replay", use: show)
    }

    @Sendable private func request(_ request: Request, _ context: RegistryRequestContext) async throws -> Response {
        let identity = try context.require(.audit)
        let record = try await store.requestReplay(decision: context.identifier("id"), actor: identity.name)
        return try .json(record, status: .accepted)
    }

    @Sendable private func show(_ request: Request, _ context: RegistryRequestContext) async throws -> Response {
        try context.require(.audit)
        return try .json(await store.replay(evaluation: context.identifier("id")))
    }
}

import EnsembleModel
import Foundation
import HTTPTypes
import Hummingbird
import NIOFoundationCompat
import RegistryAPI
import RegistryStore

/// Tokens: who may do what.
struct TokenRoutes {
    let store: RegistryStore
    let limits: DaemonLimits
    let tokens: KnownTokens

    func add(to router: RouterGroup<RegistryRequestContext>) {
        router.get("tokens", use: list)
        router.post("tokens", use: create)
        router.delete("tokens/:id", use: revoke)
    }

    @Sendable private func list(_ request: Request, _ context: RegistryRequestContext) async throws -> Response {
        try context.require(.admin)
        return try .json(Page(items: await store.tokens(), next: nil))
    }

    @Sendable private func create(_ request: Request, _ context: RegistryRequestContext) async throws -> Response {
        let identity = try context.require(.admin)
        let wanted = try await request.decode(CreateTokenRequest.self, limits: limits)
        try Name.check(wanted.name, as: "token")
        guard !wanted.scopes.isEmpty else {
            let known = Scope.allCases.map(\.rawValue).joined(separator: ", ")
            throw Problem(.badRequest, detail: "a token needs at least one scope of: \(known)")
        }
        let (token, secret) = try await store.createToken(
            name: wanted.name, scopes: wanted.scopes, actor: identity.name)
        return try .json(CreatedToken(token: token, secret: secret), status: .created)
    }

    @Sendable private func revoke(_ request: Request, _ context: RegistryRequestContext) async throws -> Response {
        let identity = try context.require(.admin)
        try await store.revoke(token: context.identifier("id"), actor: identity.name)
        tokens.forget()
        return Response(status: .noContent)
    }
}

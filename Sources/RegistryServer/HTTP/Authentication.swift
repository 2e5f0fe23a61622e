import EnsembleModel
import Hummingbird
import Logging
import RegistryStore

/// Finds out who is asking from `Authorization: Bearer TOKEN`; routes then require scopes.
struct Authentication: RouterMiddleware {
    let tokens: KnownTokens

    func handle(
        _ request: Request, context: RegistryRequestContext,
        next: (Request, RegistryRequestContext) async throws -> Response
    ) async throws -> Response {
        var context = context
        let parts = (request.headers[.authorization] ?? "").split(separator: " ", maxSplits: 1)
        if parts.count == 2, parts[0].lowercased() == "bearer" {
            context.identity = try await tokens.token(secret: String(parts[1]))
        }
        if let identity = context.identity {
            context.logger[metadataKey: "identity"] = .string(identity.name)
        }
        return try await next(request, context)
    }
}

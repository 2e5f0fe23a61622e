import EnsembleModel
import HTTPTypes
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
        if let secret = request.headers.bearer { context.identity = try await tokens.token(secret: secret) }
        if let identity = context.identity {
            context.logger[metadataKey: "identity"] = .string(identity.name)
        }
        return try await next(request, context)
    }
}

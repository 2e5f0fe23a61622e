import HTTPTypes
import Hummingbird
import RegistryAPI

/// Answers 405 where a path is served, but not by the request's method.
///
/// Added to a router after all its routes, so that it sees only the requests that none of them took.
struct OtherMethods: RouterMiddleware {
    private let routes: [(method: HTTPRequest.Method, path: RouterPath)]

    init(besides routes: [Router<RegistryRequestContext>.RouteDescription]) {
        self.routes = routes.map { ($0.method, $0.path) }
    }

    func handle(
        _ request: Request, context: RegistryRequestContext,
        next: (Request, RegistryRequestContext) async throws -> Response
    ) async throws -> Response {
        let segments = request.uri.path.split(separator: "/")
        let served = routes.filter { route in
            route.path.count == segments.count && zip(route.path, segments).allSatisfy { $0 ~= $1 }
        }
        guard !served.isEmpty else { return try await next(request, context) }
        let allowed = Set(served.map(\.method.rawValue)).sorted().joined(separator: ", ")
        var response = Response.problem(
            Problem(
                .methodNotAllowed, detail: "\(request.method.rawValue) does nothing here; use \(allowed)",
                requestID: context.id))
        response.headers[.allow] = allowed
        return response
    }
}

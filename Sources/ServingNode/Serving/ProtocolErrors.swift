import HTTPTypes
import Hummingbird
import Logging

/// Answers every error in the protocol's form, `{"error": "..."}`, and logs what is the node's own fault.
struct ProtocolErrors: RouterMiddleware {
    private struct Body: Encodable {
        var error: String
    }

    func handle(
        _ request: Request, context: BasicRequestContext, next: (Request, BasicRequestContext) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch let error as NodeError {
            var response = try Response.json(Body(error: error.message), status: error.code.status)
            if response.status == .serviceUnavailable { response.headers[.retryAfter] = "1" }
            return response
        } catch let error as any HTTPResponseError where (400..<500).contains(error.status.code) {
            let reason =
                error.status == .notFound
                ? "there is no such path; this node answers under /v2" : error.status.reasonPhrase
            return try .json(Body(error: reason), status: error.status)
        } catch {
            context.logger.error("Request failed", metadata: ["path": "\(request.uri.path)", "error": "\(error)"])
            return try .json(
                Body(error: "the node failed on this request; its log says why"), status: .internalServerError)
        }
    }
}

extension NodeError.Code {
    /// The one table from errors to HTTP statuses.
    var status: HTTPResponse.Status {
        switch self {
        case .badRequest: .badRequest
        case .notFound: .notFound
        case .tooLarge: .contentTooLarge
        case .notReady, .busy, .membersUnavailable: .serviceUnavailable
        default: .internalServerError
        }
    }
}

import Foundation
import Hummingbird
import NIOFoundationCompat
import RegistryAPI

extension Request {
    /// Reads a body of JSON.
    ///
    /// - Throws: ``Problem`` `bad_request` that says what is wrong with it.
    func decode<Body: Decodable>(_ type: Body.Type, limits: DaemonLimits) async throws -> Body {
        let body = try await Data(buffer: body.collect(upTo: limits.jsonBytes))
        do {
            return try APIJSON.decoder().decode(type, from: body)
        } catch {
            throw Problem(.badRequest, detail: "the body is not what is asked for: \(DecodingProblem.describe(error))")
        }
    }

    /// Refuses query parameters that a route does not know: a misspelt one must not be silently ignored.
    func refuseUnknownParameters(besides known: [String]) throws {
        for (name, _) in uri.queryParameters where !known.contains(String(name)) {
            throw Problem(
                .badRequest,
                detail: "unknown parameter '\(name.prefix(40))'; known are: \(known.joined(separator: ", "))")
        }
    }
}

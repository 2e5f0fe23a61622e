import Hummingbird
import RegistryAPI

extension Request {
    /// Refuses query parameters that a route does not know: a misspelt one must not be silently ignored.
    func refuseUnknownParameters(besides known: [String]) throws {
        for (name, _) in uri.queryParameters where !known.contains(String(name)) {
            throw Problem(
                .badRequest,
                detail: "unknown parameter '\(name.prefix(40))'; known are: \(known.joined(separator: ", "))")
        }
    }
}

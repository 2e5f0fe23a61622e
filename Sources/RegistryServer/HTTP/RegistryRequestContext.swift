import EnsembleModel
import Foundation
public import Hummingbird
import RegistryAPI

/// What a request carries through the router: Hummingbird's core, and who is asking.
public struct RegistryRequestContext: RequestContext {
    public var coreContext: CoreRequestContextStorage
    /// The token the request came with; set by ``Authentication``.
    var identity: TokenRecord?

    public init(source: ApplicationRequestContextSource) {
        coreContext = .init(source: source)
    }

    /// The identity, when it has one of the scopes; `admin` has them all.
    ///
    /// - Throws: ``Problem`` `unauthenticated` or `forbidden`.
    @discardableResult
    func require(_ scopes: Scope...) throws -> TokenRecord { try require(scopes) }

    @discardableResult
    func require(_ scopes: [Scope]) throws -> TokenRecord {
        guard let identity else {
            throw Problem(
                .unauthenticated,
                detail: "send a valid token: Authorization: Bearer TOKEN (registry tokens create makes one)")
        }
        guard identity.hasAny(of: scopes) else {
            let needed = scopes.map(\.rawValue).joined(separator: " or ")
            throw Problem(.forbidden, detail: "the token '\(identity.name)' lacks the scope \(needed)")
        }
        return identity
    }

    /// A path parameter, or a 404: the route guarantees its presence.
    func parameter(_ name: String) throws -> String {
        guard let value = parameters.get(name) else { throw Problem(.notFound, detail: "the path lacks \(name)") }
        return value.removingPercentEncoding ?? value
    }

    /// A numeric path parameter.
    func identifier(_ name: String) throws -> Int64 {
        let text = try parameter(name)
        guard let id = Int64(text), id > 0 else {
            throw Problem(.notFound, detail: "'\(text.prefix(40))' is not an id: ids are numbers")
        }
        return id
    }
}

extension TokenRecord {
    /// Whether it has one of the scopes; `admin` has them all.
    func hasAny(of scopes: [Scope]) -> Bool {
        self.scopes.contains(.admin) || scopes.contains(where: self.scopes.contains)
    }
}

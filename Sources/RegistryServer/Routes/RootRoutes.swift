import EnsembleModel
import Foundation
import HTTPTypes
import Hummingbird
import NIOFoundationCompat
import RegistryAPI
import RegistryStore
import Trust

/// The registry's root of trust: which keys sign.
struct RootRoutes {
    let store: RegistryStore
    let limits: DaemonLimits

    func add(to router: RouterGroup<RegistryRequestContext>) {
        router.get("root", use: newest)
        router.post("root", use: add)
    }

    @Sendable private func newest(_ request: Request, _ context: RegistryRequestContext) async throws -> Response {
        try context.require(.read, .node)
        guard let root = try await store.root() else {
            throw Problem(.notFound, detail: "the registry has no root yet: registry keys init makes one")
        }
        return .content(
            root.bytes, digest: .of(root.bytes), type: "application/json", forever: false,
            request: request)
    }

    /// Takes a root that the newest one's keys and its own have signed.
    @Sendable private func add(_ request: Request, _ context: RegistryRequestContext) async throws -> Response {
        let identity = try context.require(.admin)
        let body = try await Array(request.body.collect(upTo: limits.jsonBytes).readableBytesView)
        let newest = try await store.root()
        if let newest, newest.bytes == body { return Response(status: .noContent) }
        let root: MetadataFile
        do {
            let current = try newest.map { try Signed<Root>(parsing: $0.bytes) }
            root = try RootProposal(parsing: body, replacing: current).finished()
        } catch let error as TrustError {
            throw Problem(.invalidRoot, detail: error.message)
        }
        try await store.addRoot(root.bytes, version: root.version, actor: identity.name, now: Date())
        return Response(status: .created)
    }
}

import EnsembleModel
import HTTPTypes
import Hummingbird
import RegistryAPI
import RegistryStore

/// What serving nodes pull: manifests and combiners, with strong ETags.
struct ManifestRoutes {
    let store: RegistryStore

    func add(to router: RouterGroup<RegistryRequestContext>) {
        router.get("ensembles/:name/manifest", use: newest)
        router.get("ensembles/:name/manifests/:sequence", use: numbered)
        router.get("combiners/:sha256", use: combiner)
    }

    @Sendable private func newest(_ request: Request, _ context: RegistryRequestContext) async throws -> Response {
        try context.require(.read, .node)
        return try await manifest(context.parameter("name"), sequence: nil, request: request)
    }

    @Sendable private func numbered(_ request: Request, _ context: RegistryRequestContext) async throws -> Response {
        try context.require(.read, .node)
        let sequence = try Int(context.identifier("sequence"))
        return try await manifest(context.parameter("name"), sequence: sequence, request: request)
    }

    private func manifest(_ ensemble: String, sequence: Int?, request: Request) async throws -> Response {
        guard let manifest = try await store.manifest(ensemble: ensemble, sequence: sequence) else {
            guard let sequence else {
                throw Problem(
                    .notFounded, detail: "'\(ensemble)' has no champion yet: registry ensembles found \(ensemble)")
            }
            throw Problem(.notFound, detail: "'\(ensemble)' has no manifest \(sequence)")
        }
        return .content(
            manifest.bytes, digest: manifest.sha256, type: "application/json", forever: sequence != nil,
            request: request)
    }

    @Sendable private func combiner(_ request: Request, _ context: RegistryRequestContext) async throws -> Response {
        try context.require(.read, .node)
        let digest = try ContentDigest(hex: context.parameter("sha256"))
        guard let text = try await store.combiner(digest) else {
            throw Problem(.notFound, detail: "no manifest carries the combiner \(digest)")
        }
        return .content(text, digest: digest, type: "text/plain; charset=utf-8", forever: true, request: request)
    }
}

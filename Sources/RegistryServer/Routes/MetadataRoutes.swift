import EnsembleModel
import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import RegistryAPI
import RegistryStore
import Trust

/// The Update Framework's repository of each ensemble: what serving nodes follow.
struct MetadataRoutes {
    let store: RegistryStore
    let watch: HeadWatch
    let limits: DaemonLimits

    /// Either opens it.
    static let scopes: [Scope] = [.read, .node]

    func add(to router: RouterGroup<RegistryRequestContext>) {
        router.get(":name/metadata/:file", use: metadata)
        router.get(":name/targets/:ensemble/:file", use: target)
    }

    @Sendable private func metadata(_ request: Request, _ context: RegistryRequestContext) async throws -> Response {
        try context.require(Self.scopes)
        let (ensemble, file) = try (context.parameter("name"), context.parameter("file"))
        if file == MetadataRole.timestamp.fileName(version: 0) { return try await timestamp(ensemble, request) }
        guard let (role, version) = Self.versioned(file), let bytes = try await versioned(role, version, of: ensemble)
        else { throw Problem(.notFound, detail: "'\(ensemble)' has no metadata '\(file.prefix(80))'") }
        return .content(
            bytes, digest: ContentDigest.of(bytes), type: "application/json", forever: true, request: request)
    }

    /// Reads `N.ROLE.json`.
    private static func versioned(_ file: String) -> (MetadataRole, Int)? {
        let parts = file.split(separator: ".")
        guard parts.count == 3, let version = Int32(parts[0]), version > 0,
            let role = MetadataRole(rawValue: String(parts[1])), role.fileName(version: Int(version)) == file
        else { return nil }
        return (role, Int(version))
    }

    private func versioned(_ role: MetadataRole, _ version: Int, of ensemble: String) async throws -> [UInt8]? {
        switch role {
        case .root: try await store.root(version: version)?.bytes
        case .targets: try await store.signedMetadata(ensemble: ensemble, role: .targets, version: version)
        case .snapshot: try await store.signedMetadata(ensemble: ensemble, role: .snapshot, version: version)
        case .timestamp: nil
        }
    }

    // MARK: Timestamp

    private func timestamp(_ ensemble: String, _ request: Request) async throws -> Response {
        try request.refuseUnknownParameters(besides: ["after", "rollout"])
        let parameters = request.uri.queryParameters
        let after = try KnownHead(
            after: parameters.get("after").map { String($0) }, rollout: parameters.get("rollout").map { String($0) })
        let wanted = after == nil ? nil : PollRequest.preferredWait(request.headers, limits: limits)
        let wait = wanted.map(PollRequest.holding)
        guard let head = try await watch.head(of: ensemble, after: after, wait: wait) else {
            _ = try await store.manifest(ensemble: ensemble)  // Throws for an ensemble that does not exist.
            throw Problem(
                .notFounded, detail: "'\(ensemble)' has no champion yet: registry ensembles found \(ensemble)")
        }
        if let after, after.position > ManifestPosition(head.head.champion) {
            throw Problem(
                .conflict,
                detail: "you have manifest \(after.position) of '\(ensemble)', newer than the registry's: was a backup "
                    + "restored? See 'registry recover'")
        }
        var response = Response.content(head.body, fields: head.fields, request: after == nil ? request : nil)
        if let wanted { response.headers[.preferenceApplied] = "wait=\(wanted)" }
        return response
    }

    // MARK: Targets

    @Sendable private func target(_ request: Request, _ context: RegistryRequestContext) async throws -> Response {
        try context.require(Self.scopes)
        let (name, ensemble) = try (context.parameter("name"), context.parameter("ensemble"))
        let file = try context.parameter("file")
        let parts = file.split(separator: ".", maxSplits: 1)
        guard name == ensemble, parts.count == 2, let target = PublishedTarget(rawValue: String(parts[1])),
            let digest = try? ContentDigest(hex: String(parts[0])),
            let bytes = try await bytes(of: target, digest, ensemble: ensemble)
        else { throw Problem(.notFound, detail: "'\(name)' has no target '\(ensemble)/\(file.prefix(160))'") }
        return .content(
            bytes, digest: digest,
            type: target == .manifest ? "application/json" : "text/plain; charset=utf-8", forever: true,
            request: request)
    }

    private func bytes(
        of target: PublishedTarget, _ digest: ContentDigest, ensemble: String
    ) async throws -> [UInt8]? {
        switch target {
        case .manifest: try await store.manifest(ensemble: ensemble, sha256: digest)
        case .combiner: try await store.combiner(digest)
        }
    }
}

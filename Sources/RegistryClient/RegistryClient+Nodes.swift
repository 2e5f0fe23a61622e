public import EnsembleModel
import Foundation
import NIOCore
import NIOHTTP1
public import RegistryAPI

extension RegistryClient {
    /// One page of the serving nodes that follow an ensemble, by name.
    public func nodes(ensemble: String, after: String? = nil, limit: Int? = nil) async throws -> Page<NodeRecord> {
        try await decode(from: .page(APIPath.nodes(checked(ensemble)), after: after, limit: limit))
    }

    /// How far an ensemble's newest manifest is rolled out.
    public func rollout(ensemble: String) async throws -> RolloutRecord {
        try await decode(from: APIRequest(path: APIPath.rollout(checked(ensemble))))
    }

    /// Halts a rollout, or lets it go on. Never sent twice.
    public func steerRollout(
        ensemble: String, _ action: RolloutSteering, reason: String
    ) async throws -> RolloutRecord {
        let body = try Array(APIJSON.encoder().encode(RolloutRequest(action: action, reason: reason)))
        return try await decode(
            from: APIRequest(
                method: .POST, path: APIPath.rollout(checked(ensemble)), content: .json(body), isRepeatable: false))
    }

    /// Publishes an earlier manifest's content again, as a new manifest. Never sent twice.
    public func rollBack(ensemble: String, to sequence: Int, reason: String) async throws -> PromotionRecord {
        let body = try Array(APIJSON.encoder().encode(RollbackRequest(to: sequence, reason: reason)))
        return try await decode(
            from: APIRequest(
                method: .POST, path: APIPath.rollback(checked(ensemble)), content: .json(body), isRepeatable: false))
    }

    /// Goes on after the registry's database was restored from a backup. Never sent twice.
    public func recover(reason: String) async throws -> [RecoveryRecord] {
        let body = try Array(APIJSON.encoder().encode(RecoveryRequest(reason: reason)))
        return try await decode(
            from: APIRequest(method: .POST, path: APIPath.recovery, content: .json(body), isRepeatable: false))
    }

    /// The registry's newest root of trust, signed; nothing but a comparison with a known one verifies it.
    public func trustRoot() async throws -> [UInt8] {
        try await perform(APIRequest(path: APIPath.trustRoot)) { response in
            Array(try await collect(response).readableBytesView)
        }
    }

    /// Makes a root the registry's newest; harmless when it is already.
    public func addTrustRoot(_ root: [UInt8]) async throws {
        try await perform(APIRequest(method: .POST, path: APIPath.trustRoot, content: .json(root))) { _ in }
    }
}

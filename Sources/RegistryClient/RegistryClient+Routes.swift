public import EnsembleModel
import Foundation
import NIOHTTP1
public import RegistryAPI

extension RegistryClient {
    /// One page of the model versions.
    public func models(after: String? = nil, limit: Int? = nil) async throws -> Page<ModelVersionRecord> {
        try await decode(from: .page(APIPath.models, after: after, limit: limit))
    }

    /// One model version.
    public func model(_ id: ModelVersionID) async throws -> ModelVersionRecord {
        try await decode(from: APIRequest(path: APIPath.model(id)))
    }

    /// One page of an ensemble's decisions, newest first, without metrics and utilities.
    public func decisions(
        ensemble: String, after: String? = nil, limit: Int? = nil
    ) async throws -> Page<DecisionRecord> {
        try await decode(from: .page(APIPath.decisions(checked(ensemble)), after: after, limit: limit))
    }

    /// One decision, complete.
    public func decision(_ id: Int64) async throws -> DecisionRecord {
        try await decode(from: APIRequest(path: APIPath.decision(id)))
    }

    /// The open evidence behind a decision: all of it but what sealed rows said.
    public func evidence(decision id: Int64) async throws -> Evidence {
        try await decode(from: APIRequest(path: APIPath.evidence(id)))
    }

    /// What sealed rows said in a decision; for the scope `audit`, and on record there.
    public func sealedEvidence(decision id: Int64) async throws -> SealedEvidence {
        try await decode(from: APIRequest(path: APIPath.sealedEvidence(id)))
    }

    /// One page of an ensemble's promotions, newest first.
    public func promotions(
        ensemble: String, after: String? = nil, limit: Int? = nil
    ) async throws -> Page<PromotionRecord> {
        try await decode(from: .page(APIPath.promotions(checked(ensemble)), after: after, limit: limit))
    }

    /// The API tokens, without their secrets.
    public func tokens(after: String? = nil, limit: Int? = nil) async throws -> Page<TokenRecord> {
        try await decode(from: .page(APIPath.tokens, after: after, limit: limit))
    }

    /// Creates a token; the answer is the only time its secret is shown. Never sent twice.
    public func createToken(_ token: CreateTokenRequest) async throws -> CreatedToken {
        let body = try Array(APIJSON.encoder().encode(token))
        return try await decode(
            from: APIRequest(method: .POST, path: APIPath.tokens, content: .json(body), isRepeatable: false))
    }

    /// Revokes a token.
    public func revokeToken(_ id: Int64) async throws {
        try await perform(APIRequest(method: .DELETE, path: APIPath.token(id))) { _ in }
    }

    /// An ensemble's name, checked so that it can stand in a path.
    func checked(_ ensemble: String) throws -> String {
        do {
            try Name.check(ensemble, as: "ensemble")
        } catch {
            throw RegistryClientError(.invalidRequest, error.message, cause: error)
        }
        return ensemble
    }
}

public import EnsembleModel
import Foundation
import NIOHTTP1
import RegistryAPI

extension RegistryClient {
    /// Approves of a decision that waits for it. Never sent twice.
    ///
    /// - Returns: the decision as it stands now: pending, approved, or superseded when what it was evaluated against
    ///   has changed.
    public func approve(decision id: Int64, reason: String? = nil) async throws -> DecisionRecord {
        try await decode(from: review(APIPath.approve(id), reason))
    }

    /// Rejects a decision that waits for approval, for good. Never sent twice.
    public func reject(decision id: Int64, reason: String) async throws -> DecisionRecord {
        try await decode(from: review(APIPath.reject(id), reason))
    }

    private func review(_ path: String, _ reason: String?) throws -> APIRequest {
        let body = try Array(APIJSON.encoder().encode(ReviewRequest(reason: reason)))
        return APIRequest(method: .POST, path: path, content: .json(body), isRepeatable: false)
    }
}

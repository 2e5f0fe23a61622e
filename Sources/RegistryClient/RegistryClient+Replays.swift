public import EnsembleModel
import NIOHTTP1
import RegistryAPI

extension RegistryClient {
    /// Has a decision computed again by a worker.
    public func requestReplay(decision id: Int64) async throws -> EvaluationRecord {
        try await decode(from: APIRequest(method: .POST, path: APIPath.replay(decision: id)))
    }

    /// What a finished replay found.
    public func replay(evaluation id: Int64) async throws -> ReplayRecord {
        try await decode(from: APIRequest(path: APIPath.replay(evaluation: id)))
    }
}

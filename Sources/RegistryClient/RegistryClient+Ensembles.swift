import AsyncHTTPClient
public import EnsembleModel
import Foundation
public import NIOCore
import NIOHTTP1
public import RegistryAPI

extension RegistryClient {
    /// One page of the ensembles.
    public func ensembles(after: String? = nil, limit: Int? = nil) async throws -> Page<EnsembleRecord> {
        try await decode(from: .page(APIPath.ensembles, after: after, limit: limit))
    }

    /// One ensemble.
    public func ensemble(_ name: String) async throws -> EnsembleRecord {
        try await decode(from: APIRequest(path: APIPath.ensemble(checked(name))))
    }

    /// Creates an ensemble; harmless when it exists with the same content.
    ///
    /// - Parameters:
    ///   - classes: class names, in the order that predictions have their columns.
    ///   - labels: CSV with the columns `id,label[,group][,slice]`.
    ///   - progress: called with the bytes of `labels` sent so far.
    /// - Returns: the ensemble, and whether it is new.
    public func createEnsemble(
        _ name: String, classes: [String], description: String = "", policy: Policy? = nil, labels: Upload,
        progress: @escaping Upload.Progress = { _ in }
    ) async throws -> (ensemble: EnsembleRecord, isNew: Bool) {
        var request = APIRequest(method: .PUT, path: APIPath.ensemble(try checked(name)))
        request.query = classes.map { ("class", $0) }
        if !description.isEmpty { request.query.append(("description", description)) }
        if let policy {
            request.query.append(("policy", String(decoding: try APIJSON.encoder().encode(policy), as: UTF8.self)))
        }
        request.content = .upload(labels, progress: progress)
        return try await perform(request) { response in
            (try await decode(EnsembleRecord.self, from: response), response.status == .created)
        }
    }

    /// A version of an ensemble's policy, or the one in force.
    public func policy(ensemble: String, version: Int? = nil) async throws -> PolicyRecord {
        var request = APIRequest(path: APIPath.policy(try checked(ensemble)))
        if let version { request.query = [("version", "\(version)")] }
        return try await decode(from: request)
    }

    /// One page of the versions of an ensemble's policy, newest first.
    public func policies(
        ensemble: String, after: String? = nil, limit: Int? = nil
    ) async throws -> Page<PolicyRecord> {
        try await decode(from: .page(APIPath.policies(checked(ensemble)), after: after, limit: limit))
    }

    /// Puts a policy in force; harmless when it is already.
    ///
    /// - Returns: the version in force, and whether it is new.
    public func setPolicy(
        ensemble: String, policy: Policy, reason: String?
    ) async throws -> (record: PolicyRecord, isNew: Bool) {
        let body = try Array(APIJSON.encoder().encode(SetPolicyRequest(policy: policy, reason: reason)))
        let request = APIRequest(method: .PUT, path: APIPath.policy(try checked(ensemble)), content: .json(body))
        return try await perform(request) { response in
            (try await decode(PolicyRecord.self, from: response), response.status == .created)
        }
    }

    /// Starts an epoch with a new validation set; harmless when it is the current one.
    ///
    /// - Parameters:
    ///   - labels: CSV with the columns `id,label[,group][,slice]`.
    ///   - progress: called with the bytes of `labels` sent so far.
    /// - Returns: the ensemble, and whether the epoch was started now.
    public func startEpoch(
        ensemble: String, labels: Upload, progress: @escaping Upload.Progress = { _ in }
    ) async throws -> (ensemble: EnsembleRecord, isNew: Bool) {
        var request = APIRequest(method: .POST, path: APIPath.epochs(try checked(ensemble)))
        request.content = .upload(labels, progress: progress)
        return try await perform(request) { response in
            (try await decode(EnsembleRecord.self, from: response), response.status == .created)
        }
    }

    /// Streams an ensemble's rows as CSV `id,group`, in row-id order.
    ///
    /// - Parameter receive: called with each piece of the text as it arrives; may suspend to slow the registry down.
    public func rows(ensemble: String, _ receive: (ByteBuffer) async throws -> Void) async throws {
        let response = try await perform(APIRequest(path: APIPath.rows(checked(ensemble)))) { $0 }
        var iterator = response.body.makeAsyncIterator()
        while let piece = try await next(&iterator) { try await receive(piece) }
    }

    /// Asks for an ensemble to be founded out of its candidates. Never sent twice.
    ///
    /// - Parameter replacing: whether a champion may be given up whose members have no predictions in the epoch.
    public func found(ensemble: String, replacing: Bool = false) async throws -> EvaluationRecord {
        var request = APIRequest(method: .POST, path: APIPath.found(try checked(ensemble)), isRepeatable: false)
        if replacing { request.query = [("replace", "true")] }
        return try await decode(from: request)
    }

    /// The next piece of an answer's body; failures are told as of any other request.
    func next(_ iterator: inout HTTPClientResponse.Body.AsyncIterator) async throws -> ByteBuffer? {
        do {
            return try await iterator.next()
        } catch {
            throw try Failure(error, address: configuration.baseURL).error
        }
    }
}

public import EnsembleModel
import Foundation
import NIOHTTP1
public import RegistryAPI

extension RegistryClient {
    /// Submits a model version with its predictions.
    ///
    /// - Parameters:
    ///   - predictions: `text/csv` or `application/vnd.numpy`, either gzip'ed or not.
    ///   - idempotencyKey: the same for the same content: sending again is then harmless, and done on failures.
    ///   - progress: called with the bytes of `predictions` sent so far.
    /// - Returns: the submission, new or from before.
    public func submit(
        _ model: ModelVersionID, to ensemble: String, metadata: ModelMetadata, predictions: Upload,
        idempotencyKey: String,
        progress: @escaping Upload.Progress = { _ in }
    ) async throws -> SubmissionRecord {
        var request = APIRequest(method: .POST, path: APIPath.submissions(try checked(ensemble)))
        request.query = [("model", model.description)] + metadata.query
        request.headers = [("Idempotency-Key", idempotencyKey)]
        request.content = .upload(predictions, progress: progress)
        return try await decode(from: request)
    }

    /// One page of an ensemble's submissions, newest first.
    public func submissions(
        ensemble: String, after: String? = nil, limit: Int? = nil
    ) async throws -> Page<SubmissionRecord> {
        try await decode(from: .page(APIPath.submissions(checked(ensemble)), after: after, limit: limit))
    }

    /// A submission.
    ///
    /// - Parameter wait: hold the answer until the state is final or its progress changes, at most so many whole
    ///   seconds.
    public func submission(_ id: Int64, wait: Duration? = nil) async throws -> SubmissionRecord {
        try await decode(from: .poll(APIPath.submission(id), wait: wait))
    }

    /// An evaluation; `wait` as for ``submission(_:wait:)``.
    public func evaluation(_ id: Int64, wait: Duration? = nil) async throws -> EvaluationRecord {
        try await decode(from: .poll(APIPath.evaluation(id), wait: wait))
    }

    /// Queues a failed evaluation again. Never sent twice.
    public func retry(evaluation id: Int64) async throws -> EvaluationRecord {
        try await decode(from: APIRequest(method: .POST, path: APIPath.retry(id), isRepeatable: false))
    }
}

extension APIRequest {
    fileprivate static func poll(_ path: String, wait: Duration?) -> APIRequest {
        guard let wait, wait >= .seconds(1) else { return APIRequest(path: path) }
        let seconds = wait.components.seconds
        return APIRequest(path: path, query: [("wait", "\(seconds)")], wait: .seconds(seconds))
    }
}

extension ModelMetadata {
    /// The metadata as the query of a submission.
    var query: [(name: String, value: String)] {
        let values = [
            ("kind", kind), ("description", description), ("artifact", artifactURI), ("sha256", artifactSHA256?.hex),
            ("endpoint", endpoint),
            ("latency_ms", latencyNanoseconds.map { Self.decimal($0, places: 6) }),
            ("cost_usd_per_10k", costNanoUSDPerRow.map { Self.decimal($0, places: 5) }),
        ]
        return values.compactMap { name, value in value.map { (name, $0) } }
            + tags.sorted { $0.key.precedes($1.key) }.map { ("tag", "\($0.key)=\($0.value)") }
    }

    /// An integer divided by a power of ten, exactly, e.g. 5900000 and 6 places: `5.9`.
    public static func decimal(_ value: Int64, places: Int) -> String {
        let digits = String(value.magnitude)
        let padded = String(repeating: "0", count: max(0, places + 1 - digits.count)) + digits
        var fraction = padded.suffix(places)
        while fraction.last == "0" { fraction.removeLast() }
        let whole = (value < 0 ? "-" : "") + padded.dropLast(places)
        return fraction.isEmpty ? whole : "\(whole).\(fraction)"
    }
}

public import EnsembleModel

/// The paths of the HTTP API, spelt once for the server and its clients.
///
/// | method and path | scope | body and answer |
/// |---|---|---|
/// | `GET /health/live`, `GET /health/ready` | none | 200, or 503 with a problem |
/// | `GET /api/v1/ensembles` | read | `Page<EnsembleRecord>` |
/// | `PUT /api/v1/ensembles/{name}?class=A&class=B&description=&policy={json}` | admin | labels as CSV (`id,label[,group][,slice]`), optionally gzip; 201, or 200 when it exists with the same content: `EnsembleRecord` |
/// | `GET /api/v1/ensembles/{name}` | read | `EnsembleRecord` |
/// | `GET /api/v1/ensembles/{name}/rows` | read or submit | CSV `id,group`, in row-id order; labels are never given |
/// | `POST /api/v1/ensembles/{name}/found` | admin | 202 `EvaluationRecord` |
/// | `POST /api/v1/ensembles/{name}/submissions?model=NAME@VERSION&kind=&description=&artifact=&sha256=&endpoint=&latency_ms=&cost_usd_per_10k=&tag=k=v` | submit | predictions as `text/csv` or `application/vnd.numpy`, either with `Content-Encoding: gzip`; headers `Idempotency-Key`, `Content-Digest: sha-256=:BASE64:` over the body as sent; 202, or 200 when the same was submitted before: `SubmissionRecord` |
/// | `GET /api/v1/ensembles/{name}/submissions?after=&limit=` | read | `Page<SubmissionRecord>`, newest first |
/// | `GET /api/v1/submissions/{id}?wait=SECONDS` | read | `SubmissionRecord`; with `wait`, held until its state is final, its progress changes or the time ends |
/// | `GET /api/v1/evaluations/{id}?wait=SECONDS` | read | `EvaluationRecord`, likewise |
/// | `POST /api/v1/evaluations/{id}/retry` | submit | 202 `EvaluationRecord` of a failed evaluation, queued again |
/// | `GET /api/v1/models?after=&limit=` | read | `Page<ModelVersionRecord>` |
/// | `GET /api/v1/models/{name@version}` | read | `ModelVersionRecord` |
/// | `GET /api/v1/ensembles/{name}/decisions?after=&limit=` | read | `Page<DecisionRecord>`, newest first, without metrics and utilities |
/// | `GET /api/v1/decisions/{id}` | read | `DecisionRecord` |
/// | `GET /api/v1/decisions/{id}/evidence` | read | `Evidence` |
/// | `GET /api/v1/ensembles/{name}/promotions?after=&limit=` | read | `Page<PromotionRecord>`, newest first |
/// | `GET /api/v1/ensembles/{name}/manifest` | read or node | canonical JSON `Manifest`; strong ETag = its sha256; 304 |
/// | `GET /api/v1/ensembles/{name}/manifests/{sequence}` | read or node | likewise, immutable |
/// | `GET /api/v1/combiners/{sha256}` | read or node | LightGBM text model; strong ETag; immutable |
/// | `GET /api/v1/tokens`, `POST /api/v1/tokens`, `DELETE /api/v1/tokens/{id}` | admin | `Page<TokenRecord>`; `CreateTokenRequest` to 201 `CreatedToken`; 204 |
public enum APIPath {
    public static let root = "/api/v1"
    public static let ensembles = "\(root)/ensembles"
    public static let models = "\(root)/models"
    public static let tokens = "\(root)/tokens"

    public static func ensemble(_ name: String) -> String { "\(ensembles)/\(name)" }
    public static func rows(_ name: String) -> String { "\(ensemble(name))/rows" }
    public static func found(_ name: String) -> String { "\(ensemble(name))/found" }
    public static func submissions(_ name: String) -> String { "\(ensemble(name))/submissions" }
    public static func decisions(_ name: String) -> String { "\(ensemble(name))/decisions" }
    public static func promotions(_ name: String) -> String { "\(ensemble(name))/promotions" }
    public static func manifest(_ name: String) -> String { "\(ensemble(name))/manifest" }
    public static func manifest(_ name: String, sequence: Int) -> String { "\(ensemble(name))/manifests/\(sequence)" }
    public static func submission(_ id: Int64) -> String { "\(root)/submissions/\(id)" }
    public static func evaluation(_ id: Int64) -> String { "\(root)/evaluations/\(id)" }
    public static func retry(_ id: Int64) -> String { "\(evaluation(id))/retry" }
    public static func model(_ id: ModelVersionID) -> String { "\(models)/\(id)" }
    public static func decision(_ id: Int64) -> String { "\(root)/decisions/\(id)" }
    public static func evidence(_ id: Int64) -> String { "\(decision(id))/evidence" }
    public static func combiner(_ digest: ContentDigest) -> String { "\(root)/combiners/\(digest.hex)" }
    public static func token(_ id: Int64) -> String { "\(tokens)/\(id)" }
}

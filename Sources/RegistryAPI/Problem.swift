/// An error answer (RFC 9457, `application/problem+json`).
public struct Problem: Hashable, Sendable, Codable, Error {
    /// One kind of fault found in uploaded rows.
    public struct Fault: Hashable, Sendable, Codable {
        /// Stable kind, e.g. `unknown_id`, `duplicate_id`, `not_finite`, `negative`, `sum`, `column_count`.
        public var code: String
        /// What is wrong and what to do.
        public var message: String
        /// How many rows have this fault.
        public var count: Int
        /// The first offending rows (at most 20).
        public var examples: [Example]

        public init(code: String, message: String, count: Int, examples: [Example]) {
            self.code = code
            self.message = message
            self.count = count
            self.examples = examples
        }
    }

    /// One offending row.
    public struct Example: Hashable, Sendable, Codable {
        /// Line of the (decompressed) upload, 1 = first; nil where the format has none.
        public var line: Int?
        /// Row id, where it could be read.
        public var id: String?

        public init(line: Int?, id: String?) {
            self.line = line
            self.id = id
        }
    }

    /// Stable kind, e.g. `ensemble_not_found`; see ``ProblemCode``.
    public var code: ProblemCode
    /// Short, the same for every problem of this kind.
    public var title: String
    /// HTTP status.
    public var status: Int
    /// What is wrong here and what to do.
    public var detail: String
    /// Faults of an upload, by kind.
    public var faults: [Fault]?
    /// Id of the request, also in the daemon's log.
    public var requestID: String?

    public init(_ code: ProblemCode, detail: String, faults: [Fault]? = nil, requestID: String? = nil) {
        self.code = code
        title = code.title
        status = code.status
        self.detail = detail
        self.faults = faults
        self.requestID = requestID
    }

    enum CodingKeys: String, CodingKey {
        case code, title, status, detail, faults
        case requestID = "request_id"
    }
}

/// The kinds of problems, with the HTTP status each maps to: the one table of it.
public enum ProblemCode: String, Hashable, Sendable, Codable, CaseIterable {
    case badRequest = "bad_request"
    case requestInterrupted = "request_interrupted"
    case invalidPolicy = "invalid_policy"
    case invalidUpload = "invalid_upload"
    case invalidRoot = "invalid_root"
    case digestMismatch = "digest_mismatch"
    case unauthenticated = "unauthenticated"
    case forbidden = "forbidden"
    case ownSubmission = "own_submission"
    case notFound = "not_found"
    case methodNotAllowed = "method_not_allowed"
    case ensembleNotFound = "ensemble_not_found"
    case modelNotFound = "model_not_found"
    case ensembleExists = "ensemble_exists"
    case modelVersionImmutable = "model_version_immutable"
    case notFounded = "not_founded"
    case alreadyFounded = "already_founded"
    case noCandidates = "no_candidates"
    case idempotencyConflict = "idempotency_conflict"
    case conflict = "conflict"
    case tooLarge = "too_large"
    case unsupportedMediaType = "unsupported_media_type"
    case lengthRequired = "length_required"
    case busy = "busy"
    case databaseUnavailable = "database_unavailable"
    case signingUnavailable = "signing_unavailable"
    case internalError = "internal_error"

    /// The HTTP status.
    public var status: Int {
        switch self {
        case .badRequest, .requestInterrupted: 400
        case .unauthenticated: 401
        case .forbidden, .ownSubmission: 403
        case .notFound, .ensembleNotFound, .modelNotFound, .notFounded: 404
        case .methodNotAllowed: 405
        case .ensembleExists, .modelVersionImmutable, .alreadyFounded, .noCandidates, .idempotencyConflict, .conflict:
            409
        case .lengthRequired: 411
        case .tooLarge: 413
        case .unsupportedMediaType: 415
        case .invalidPolicy, .invalidUpload, .invalidRoot, .digestMismatch: 422
        case .internalError: 500
        case .busy, .databaseUnavailable, .signingUnavailable: 503
        }
    }

    /// The title of every problem of this kind.
    public var title: String {
        switch self {
        case .badRequest: "The request is malformed"
        case .requestInterrupted: "The request was broken off; nothing was stored"
        case .invalidPolicy: "The policy is invalid"
        case .invalidUpload: "The upload was refused; nothing was stored"
        case .invalidRoot: "The root is not signed by those who may change it"
        case .digestMismatch: "The upload does not match its digest; nothing was stored"
        case .unauthenticated: "A valid token is needed"
        case .forbidden: "The token lacks a scope"
        case .ownSubmission: "Nobody approves of their own submission"
        case .notFound: "There is nothing here"
        case .methodNotAllowed: "The path does not take this method"
        case .ensembleNotFound: "There is no such ensemble"
        case .modelNotFound: "There is no such model version"
        case .ensembleExists: "The ensemble exists with other content"
        case .modelVersionImmutable: "The model version exists with other content"
        case .notFounded: "The ensemble is not founded yet"
        case .alreadyFounded: "The ensemble is founded already"
        case .noCandidates: "The ensemble has no candidates"
        case .idempotencyConflict: "The idempotency key was used for something else"
        case .conflict: "The request conflicts with the current state"
        case .tooLarge: "The upload is too large"
        case .unsupportedMediaType: "The media type is not supported"
        case .lengthRequired: "The request must have a body"
        case .busy: "The registry is busy"
        case .databaseUnavailable: "The database cannot be reached"
        case .signingUnavailable: "This daemon cannot sign manifests"
        case .internalError: "The registry failed"
        }
    }
}

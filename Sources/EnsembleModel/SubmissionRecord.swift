public import struct Foundation.Date

/// Where a piece of work stands.
public enum WorkState: String, Hashable, Sendable, Codable, CaseIterable {
    /// A submission kept for the founding; no evaluation is due.
    case candidate
    case queued
    case evaluating
    /// The outcome is stored and waits for publication.
    case evaluated
    /// There is a verdict that promotes; it waits for people's approval.
    case pending
    case decided
    /// Gave up, after the last attempt or because another would fail as well; `registry retry` queues it again.
    case failed
    case cancelled
    /// A replay that is done; its findings are a `ReplayRecord`.
    case replayed

    /// Whether nothing more happens by itself.
    public var isFinal: Bool {
        switch self {
        case .candidate, .pending, .decided, .failed, .cancelled, .replayed: true
        case .queued, .evaluating, .evaluated: false
        }
    }
}

/// How far an evaluation is.
public struct EvaluationProgress: Hashable, Sendable, Codable {
    /// What is being done, e.g. `cross-fit`, `search`, `utility`.
    public var phase: String
    public var completed: Int
    public var total: Int

    public init(phase: String, completed: Int, total: Int) {
        self.phase = phase
        self.completed = completed
        self.total = total
    }
}

/// A queued, running or finished evaluation.
public struct EvaluationRecord: Hashable, Sendable, Codable {
    public var id: Int64
    public var ensemble: String
    public var kind: EvaluationKind
    /// The submission judged; nil for a founding.
    public var submission: Int64?
    /// The decision computed again; nil but for a replay.
    public var replays: Int64?
    public var state: WorkState
    /// Attempts begun, at most ``maximumAttempts``; fewer on a failure that would only repeat itself.
    public var attempt: Int
    public var progress: EvaluationProgress?
    /// Why the last attempt failed.
    public var failure: String?
    /// The decision, once there is one.
    public var decision: Int64?
    public var createdAt: Date
    public var finishedAt: Date?

    /// Attempts before an evaluation is given up.
    public static let maximumAttempts = 3

    /// Whether it failed for what another attempt may not meet again, such as a worker that died.
    public var isWorthRetrying: Bool { state == .failed && attempt >= Self.maximumAttempts }

    public init(
        id: Int64, ensemble: String, kind: EvaluationKind, submission: Int64?, replays: Int64? = nil, state: WorkState,
        attempt: Int,
        progress: EvaluationProgress?, failure: String?, decision: Int64?, createdAt: Date, finishedAt: Date?
    ) {
        self.id = id
        self.ensemble = ensemble
        self.kind = kind
        self.submission = submission
        self.replays = replays
        self.state = state
        self.attempt = attempt
        self.progress = progress
        self.failure = failure
        self.decision = decision
        self.createdAt = createdAt
        self.finishedAt = finishedAt
    }

    enum CodingKeys: String, CodingKey {
        case id, ensemble, kind, submission, replays, state, attempt, progress, failure, decision
        case createdAt = "created_at"
        case finishedAt = "finished_at"
    }
}

/// A model version offered to an ensemble with its predictions.
public struct SubmissionRecord: Hashable, Sendable, Codable {
    public var id: Int64
    public var ensemble: String
    public var epoch: Int
    public var model: ModelVersionID
    /// SHA-256 of the predictions' float32 bytes in row-id order.
    public var predictions: ContentDigest
    /// Rows with a prediction.
    public var rowCount: Int
    /// Validation rows without one.
    public var missingRowCount: Int
    public var state: WorkState
    /// The newest evaluation of this submission.
    public var evaluation: EvaluationRecord?
    /// Decisions that held it back, the newest evaluation's among them.
    public var holdCount: Int
    public var submittedBy: String
    public var createdAt: Date

    public init(
        id: Int64, ensemble: String, epoch: Int, model: ModelVersionID, predictions: ContentDigest, rowCount: Int,
        missingRowCount: Int, state: WorkState, evaluation: EvaluationRecord?, holdCount: Int, submittedBy: String,
        createdAt: Date
    ) {
        self.id = id
        self.ensemble = ensemble
        self.epoch = epoch
        self.model = model
        self.predictions = predictions
        self.rowCount = rowCount
        self.missingRowCount = missingRowCount
        self.state = state
        self.evaluation = evaluation
        self.holdCount = holdCount
        self.submittedBy = submittedBy
        self.createdAt = createdAt
    }

    enum CodingKeys: String, CodingKey {
        case id, ensemble, epoch, model, predictions, state, evaluation
        case rowCount = "rows"
        case missingRowCount = "missing_rows"
        case holdCount = "holds"
        case submittedBy = "submitted_by"
        case createdAt = "created_at"
    }
}

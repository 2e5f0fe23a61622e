/// What a serving node says of an ensemble that it follows.
public struct NodeReport: Hashable, Sendable, Codable {
    /// What the node does for the ensemble.
    public enum State: String, Hashable, Sendable, Codable, CaseIterable {
        /// It has nothing to serve yet.
        case empty
        /// It serves what it has verified.
        case serving
        /// It serves, but its newest metadata has expired: it may be cut off from news.
        case stale
        /// It serves a manifest that it was told to stay at.
        case pinned
    }

    /// The manifest that is served.
    public struct Running: Hashable, Sendable, Codable {
        public var generation: Int
        public var sequence: Int
        public var sha256: ContentDigest

        public init(generation: Int, sequence: Int, sha256: ContentDigest) {
            self.generation = generation
            self.sequence = sequence
            self.sha256 = sha256
        }
    }

    /// Where a node was when it refused a manifest.
    public enum Stage: String, Hashable, Sendable, Codable, CaseIterable {
        /// Signatures, versions, expiry.
        case verify
        case download
        /// Reading the files, and the golden rows.
        case load
        /// Filling caches before the switch.
        case warm
        case activate
        /// Serving it: most requests fail.
        case runtime
    }

    /// Why a manifest is not served.
    public struct Refusal: Hashable, Sendable, Codable {
        public var stage: Stage
        /// Stable, for programs.
        public var code: String
        /// For people.
        public var message: String

        public init(stage: Stage, code: String, message: String) {
            self.stage = stage
            self.code = code
            self.message = message
        }

        /// The code for a registry that could not be reached.
        public static let registryUnavailable = "registry_unavailable"

        /// Whether only a download broke off: the node tries again, and the manifest is not to blame.
        public var isTransient: Bool { stage == .download && code == Self.registryUnavailable }
    }

    /// Versions of the signed metadata that a node trusts; nil before the first.
    public struct Versions: Hashable, Sendable, Codable {
        public var root: Int?
        public var targets: Int?
        public var snapshot: Int?
        public var timestamp: Int?

        public init(root: Int? = nil, targets: Int? = nil, snapshot: Int? = nil, timestamp: Int? = nil) {
            self.root = root
            self.targets = targets
            self.snapshot = snapshot
            self.timestamp = timestamp
        }
    }

    public var ensemble: String
    /// Version of the node's program.
    public var program: String
    public var state: State
    /// Nil exactly when the state is `empty`.
    public var running: Running?
    /// The newest manifest that it tried to serve.
    public var attempted: ContentDigest?
    /// Why it does not serve the one attempted; nil when it does.
    public var refusal: Refusal?
    /// What it trusts: a recovery of the registry goes on above these.
    public var versions: Versions
    /// Cache and latency figures by name.
    public var figures: [String: Double]

    public init(
        ensemble: String, program: String, state: State, running: Running?, attempted: ContentDigest? = nil,
        refusal: Refusal? = nil, versions: Versions = Versions(), figures: [String: Double] = [:]
    ) {
        self.ensemble = ensemble
        self.program = program
        self.state = state
        self.running = running
        self.attempted = attempted
        self.refusal = refusal
        self.versions = versions
        self.figures = figures
    }
}

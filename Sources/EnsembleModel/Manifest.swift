/// The published, numbered description of a champion.
///
/// Written as canonical JSON (see ``CanonicalValue``): integers only, latency in nanoseconds, cost in nano US dollars a
/// row, time in whole seconds since 1970. The SHA-256 of those bytes is the manifest's address.
public struct Manifest: Hashable, Sendable, Codable {
    /// Where a model's artifact is.
    public struct Artifact: Hashable, Sendable, Codable {
        public var uri: String
        public var sha256: ContentDigest?

        public init(uri: String, sha256: ContentDigest?) {
            self.uri = uri
            self.sha256 = sha256
        }
    }

    /// One member; what the combiner sees of it are the combiner's next columns.
    public struct Member: Hashable, Sendable, Codable {
        public var model: String
        public var version: String
        public var kind: String?
        public var artifact: Artifact?
        /// Where the model answers the Open Inference Protocol.
        public var endpoint: String?
        public var latencyNanoseconds: Int64?
        public var costNanoUSDPerRow: Int64?

        public init(id: ModelVersionID, metadata: ModelMetadata) {
            model = id.name
            version = id.version
            kind = metadata.kind
            artifact = metadata.artifactURI.map { Artifact(uri: $0, sha256: metadata.artifactSHA256) }
            endpoint = metadata.endpoint
            latencyNanoseconds = metadata.latencyNanoseconds
            costNanoUSDPerRow = metadata.costNanoUSDPerRow
        }

        enum CodingKeys: String, CodingKey {
            case model, version, kind, artifact, endpoint
            case latencyNanoseconds = "latency_ns"
            case costNanoUSDPerRow = "cost_nano_usd"
        }
    }

    /// The combiner that belongs to the members.
    public struct CombinerReference: Hashable, Sendable, Codable {
        /// SHA-256 of the text model.
        public var sha256: ContentDigest
        /// Length of the text model.
        public var bytes: Int
        public var trees: Int
        /// Always `lightgbm-text-v4`.
        public var format: String

        public init(_ combiner: Combiner) {
            self.init(sha256: combiner.digest, bytes: combiner.text.count, trees: combiner.treeCount)
        }

        public init(sha256: ContentDigest, bytes: Int, trees: Int) {
            self.sha256 = sha256
            self.bytes = bytes
            self.trees = trees
            format = "lightgbm-text-v4"
        }
    }

    /// Version of this layout.
    public var schema = 1
    public var ensemble: String
    /// Rises when a registry is restored from a backup; 1 until then.
    public var generation: Int
    /// 1, 2, ...: a number is never used twice.
    public var sequence: Int
    /// SHA-256 of the manifest before; nil for the first.
    public var previousSHA256: ContentDigest?
    /// Digest of what is served: classes, members, combiner and its columns, without number, time and reason.
    public var contentID: ContentDigest
    /// Seconds since 1970.
    public var createdAt: Int64
    public var reason: PromotionKind
    /// The rule that decided.
    public var admission: Policy.Admission
    public var decisionID: Int64
    public var classes: [String]
    /// Members in model order: the order of the combiner's columns.
    public var members: [Member]
    public var combiner: CombinerReference
    /// What the combiner sees of each member.
    public var columns: Policy.Columns { statedColumns ?? .probability }
    /// Left out where it is `probability`: manifests from before there was a choice say the same in the same bytes.
    private let statedColumns: Policy.Columns?
    /// Rows to check a node's scoring with.
    public var golden: GoldenRows

    /// Creates a manifest and its ``contentID``.
    public init(
        ensemble: String, generation: Int, sequence: Int, previousSHA256: ContentDigest?, createdAt: Int64,
        reason: PromotionKind, admission: Policy.Admission, decisionID: Int64, classes: [String], members: [Member],
        combiner: CombinerReference, columns: Policy.Columns, golden: GoldenRows
    ) throws {
        self.ensemble = ensemble
        self.generation = generation
        self.sequence = sequence
        self.previousSHA256 = previousSHA256
        self.createdAt = createdAt
        self.reason = reason
        self.admission = admission
        self.decisionID = decisionID
        self.classes = classes
        self.members = members
        self.combiner = combiner
        statedColumns = Self.stated(columns)
        self.golden = golden
        contentID = try Self.contentID(
            ensemble: ensemble, classes: classes, members: members, combiner: combiner, columns: columns)
    }

    /// The digest that ``contentID`` must equal.
    public static func contentID(
        ensemble: String, classes: [String], members: [Member], combiner: CombinerReference, columns: Policy.Columns
    ) throws -> ContentDigest {
        struct Content: Encodable {
            var ensemble: String
            var classes: [String]
            var members: [Member]
            var combiner: CombinerReference
            var columns: Policy.Columns?
        }
        return try CanonicalValue(
            encoding: Content(
                ensemble: ensemble, classes: classes, members: members, combiner: combiner, columns: stated(columns))
        ).digest
    }

    private static func stated(_ columns: Policy.Columns) -> Policy.Columns? { columns == .probability ? nil : columns }

    /// The canonical bytes: what is stored, served and hashed.
    public func canonicalBytes() throws -> [UInt8] {
        try CanonicalValue(encoding: self).bytes
    }

    enum CodingKeys: String, CodingKey {
        case schema, ensemble, generation, sequence, reason, admission, classes, members, combiner, golden
        case previousSHA256 = "previous_sha256"
        case contentID = "content_id"
        case createdAt = "created_at"
        case decisionID = "decision_id"
        case statedColumns = "columns"
    }
}

public import struct Foundation.Date

/// What a submitter declares about a model version. Immutable once registered.
public struct ModelMetadata: Hashable, Sendable, Codable {
    /// Free word for the family: `language`, `graph`, `vision`, ...
    public var kind: String?
    public var description: String?
    /// Where the model's artifact is, e.g. `s3://bucket/minilm-3.onnx`.
    public var artifactURI: String?
    public var artifactSHA256: ContentDigest?
    /// Where the model answers the Open Inference Protocol.
    public var endpoint: String?
    /// Latency a row, in nanoseconds.
    public var latencyNanoseconds: Int64?
    /// Cost a row, in nano US dollars (1 US dollar per 10,000 rows = 100,000).
    public var costNanoUSDPerRow: Int64?
    public var tags: [String: String]

    public init(
        kind: String? = nil, description: String? = nil, artifactURI: String? = nil,
        artifactSHA256: ContentDigest? = nil,
        endpoint: String? = nil, latencyNanoseconds: Int64? = nil, costNanoUSDPerRow: Int64? = nil,
        tags: [String: String] = [:]
    ) {
        self.kind = kind
        self.description = description
        self.artifactURI = artifactURI
        self.artifactSHA256 = artifactSHA256
        self.endpoint = endpoint
        self.latencyNanoseconds = latencyNanoseconds
        self.costNanoUSDPerRow = costNanoUSDPerRow
        self.tags = tags
    }

    /// The same with what it leaves out as registered before.
    public func completed(by registered: ModelMetadata) -> ModelMetadata {
        ModelMetadata(
            kind: kind ?? registered.kind, description: description ?? registered.description,
            artifactURI: artifactURI ?? registered.artifactURI,
            artifactSHA256: artifactSHA256 ?? registered.artifactSHA256, endpoint: endpoint ?? registered.endpoint,
            latencyNanoseconds: latencyNanoseconds ?? registered.latencyNanoseconds,
            costNanoUSDPerRow: costNanoUSDPerRow ?? registered.costNanoUSDPerRow,
            tags: tags.isEmpty ? registered.tags : tags)
    }

    /// What the model costs a row.
    public var cost: ModelCost {
        ModelCost(latencyNanoseconds: latencyNanoseconds, costNanoUSDPerRow: costNanoUSDPerRow)
    }

    enum CodingKeys: String, CodingKey {
        case kind, description, endpoint, tags
        case artifactURI = "artifact_uri"
        case artifactSHA256 = "artifact_sha256"
        case latencyNanoseconds = "latency_ns"
        case costNanoUSDPerRow = "cost_nano_usd"
    }
}

/// A registered model version.
public struct ModelVersionRecord: Hashable, Sendable, Codable {
    public var id: ModelVersionID
    public var metadata: ModelMetadata
    public var createdAt: Date
    public var createdBy: String
    /// Ensembles to which this version was submitted, by name.
    public var ensembles: [String]
    /// Ensembles whose champion it belongs to now.
    public var memberOf: [String]

    public init(
        id: ModelVersionID, metadata: ModelMetadata, createdAt: Date, createdBy: String, ensembles: [String],
        memberOf: [String]
    ) {
        self.id = id
        self.metadata = metadata
        self.createdAt = createdAt
        self.createdBy = createdBy
        self.ensembles = ensembles
        self.memberOf = memberOf
    }

    enum CodingKeys: String, CodingKey {
        case id, metadata, ensembles
        case createdAt = "created_at"
        case createdBy = "created_by"
        case memberOf = "member_of"
    }
}

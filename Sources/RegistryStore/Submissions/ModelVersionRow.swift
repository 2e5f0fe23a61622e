import EnsembleModel
import Postgres

/// A model version's columns, as they are written, compared and read.
enum ModelVersionRow {
    /// Columns of `model_version m` that ``metadata(_:)`` reads.
    static let columns: SQL = """
        m.kind, m.description, m.artifact_uri, m.artifact_sha256, m.endpoint, m.latency_ns, m.cost_nano_usd, m.tags
        """

    static func metadata(_ row: Row) throws -> ModelMetadata {
        ModelMetadata(
            kind: try row["kind"], description: try row["description"], artifactURI: try row["artifact_uri"],
            artifactSHA256: try row.optionalDigest("artifact_sha256"), endpoint: try row["endpoint"],
            latencyNanoseconds: try row["latency_ns"], costNanoUSDPerRow: try row["cost_nano_usd"],
            tags: try row.json("tags"))
    }

    /// Registers a version, unless it is registered.
    ///
    /// - Returns: its row's id.
    /// - Throws: ``StoreError`` with code `modelVersionImmutable` when it is registered with other metadata.
    static func register(
        _ model: ModelVersionID, _ metadata: ModelMetadata, actor: String, on connection: Connection
    ) async throws -> Int64 {
        let rows = try await connection.query(
            """
            INSERT INTO model_version (name, version, kind, description, artifact_uri, artifact_sha256, endpoint,
                                       latency_ns, cost_nano_usd, tags, created_by)
            VALUES (\(model.name), \(model.version), \(metadata.kind), \(metadata.description), \(metadata.artifactURI),
                    \(metadata.artifactSHA256?.hex), \(metadata.endpoint), \(metadata.latencyNanoseconds),
                    \(metadata.costNanoUSDPerRow), \(JSON(encoding: metadata.tags)), \(actor))
            ON CONFLICT (reference) DO NOTHING RETURNING id
            """)
        if let id: Int64 = try rows.first?["id"] { return id }
        guard let id = try await registered(model, metadata, on: connection) else {
            throw StoreError(.conflict, "model version '\(model)' was registered and is gone; try again")
        }
        return id
    }

    /// The id of a registered version; nil when there is none.
    ///
    /// - Throws: ``StoreError`` with code `modelVersionImmutable` when it is registered with other metadata.
    static func registered(
        _ model: ModelVersionID, _ metadata: ModelMetadata, on connection: Connection
    ) async throws -> Int64? {
        let rows = try await connection.query(
            "SELECT m.id, \(columns) FROM model_version m WHERE m.reference = \(model.description)")
        guard let row = rows.first else { return nil }
        if let field = difference(try self.metadata(row), metadata) {
            throw StoreError(
                .modelVersionImmutable,
                "model version '\(model)' is registered with another \(field); give what "
                    + "`registry models show \(model)` says, or submit the change as a new version")
        }
        return try row["id"]
    }

    /// The first field, by the name submitters know, in which two descriptions differ.
    static func difference(_ left: ModelMetadata, _ right: ModelMetadata) -> String? {
        let fields: [(String, Bool)] = [
            ("kind", left.kind == right.kind),
            ("description", left.description == right.description),
            ("artifact", left.artifactURI == right.artifactURI),
            ("sha256", left.artifactSHA256 == right.artifactSHA256),
            ("endpoint", left.endpoint == right.endpoint),
            ("latency", left.latencyNanoseconds == right.latencyNanoseconds),
            ("cost", left.costNanoUSDPerRow == right.costNanoUSDPerRow),
            ("set of tags", left.tags == right.tags),
        ]
        return fields.first { !$0.1 }?.0
    }
}

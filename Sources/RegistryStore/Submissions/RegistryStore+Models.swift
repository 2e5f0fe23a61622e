public import EnsembleModel
import Postgres

extension RegistryStore {
    /// A registered model version.
    ///
    /// - Throws: ``StoreError`` with code `modelNotFound`.
    public func model(_ id: ModelVersionID) async throws -> ModelVersionRecord {
        let found = try await query(
            ModelVersionRecord.select("WHERE m.reference = \(id.description)"), ModelVersionRecord.init(row:))
        guard let record = found.first else {
            throw StoreError(
                .modelNotFound, "there is no model version '\(id)'; `registry models list` shows those there are")
        }
        return record
    }

    /// What was declared of a model version; nil when it is not registered.
    public func metadata(of id: ModelVersionID) async throws -> ModelMetadata? {
        try await query(
            "SELECT \(ModelVersionRow.columns) FROM model_version m WHERE m.reference = \(id.description)",
            ModelVersionRow.metadata
        ).first
    }

    /// Model versions in model order, those after one.
    public func models(after id: ModelVersionID? = nil, limit: Int = 100) async throws -> [ModelVersionRecord] {
        try await query(
            ModelVersionRecord.select(
                "WHERE m.reference > \(id?.description ?? "") ORDER BY m.reference LIMIT \(StoreLimits.page(limit))"),
            ModelVersionRecord.init(row:))
    }
}

extension ModelVersionRecord {
    fileprivate static func select(_ condition: SQL) -> SQL {
        """
        SELECT m.reference, \(ModelVersionRow.columns), m.created_at, m.created_by,
               ARRAY(SELECT DISTINCT e.name FROM submission s JOIN ensemble e ON e.id = s.ensemble_id
                     WHERE s.model_version_id = m.id ORDER BY e.name) AS ensembles,
               ARRAY(SELECT e.name FROM promotion p JOIN ensemble_head h USING (ensemble_id, sequence)
                     JOIN ensemble e ON e.id = h.ensemble_id
                     WHERE m.reference = ANY (p.members) ORDER BY e.name) AS member_of
        FROM model_version m \(condition)
        """
    }

    fileprivate init(row: Row) throws {
        self.init(
            id: try row.model("reference"), metadata: try ModelVersionRow.metadata(row),
            createdAt: try row["created_at"],
            createdBy: try row["created_by"], ensembles: try row["ensembles"], memberOf: try row["member_of"])
    }
}

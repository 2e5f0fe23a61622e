public import EnsembleModel
public import Foundation
import Postgres

extension RegistryStore {
    /// Where an ensemble's nodes begin to look: the newest timestamp.
    public struct MetadataHead: Hashable, Sendable {
        public var champion: ChampionNumber
        public var timestamp: SignedMetadata
        /// The share of the nodes that the timestamp states, in ten-thousandths; nil for all.
        public var rollout: Int?

        public init(champion: ChampionNumber, timestamp: SignedMetadata, rollout: Int? = nil) {
            self.champion = champion
            self.timestamp = timestamp
            self.rollout = rollout
        }
    }

    /// The newest timestamps of some ensembles, as committed; none of those that have not published.
    public func metadataHeads(of ensembles: [String]) async throws -> [MetadataHead] {
        try await query(
            """
            SELECT e.name, t.generation, t.sequence, t.timestamp_version, t.timestamp_body, t.timestamp_signed_at,
                   t.rollout
            FROM metadata_head t JOIN ensemble e ON e.id = t.ensemble_id
            WHERE e.name = ANY (\(ensembles))
            """
        ) { row in
            MetadataHead(
                champion: ChampionNumber(
                    ensemble: try row["name"], generation: try row["generation"], sequence: try row["sequence"]),
                timestamp: SignedMetadata(
                    version: try row["timestamp_version"], bytes: try row["timestamp_body"],
                    signedAt: try row["timestamp_signed_at"]),
                rollout: try row["rollout"])
        }
    }

    /// An element after each promotion, as a hint to look: it may come late, twice or not at all. Ends when the client
    /// shuts down.
    public func promotionHints() -> some AsyncSequence<Void, any Error> & Sendable {
        client.listen(Self.promotionChannel).map { _ in }
    }

    /// An ensemble's targets or snapshot of a version, as signed; nil when there is none.
    public func signedMetadata(ensemble: String, role: SignedRole, version: Int) async throws -> [UInt8]? {
        try await query(
            """
            SELECT s.body FROM signed_metadata s JOIN ensemble e ON e.id = s.ensemble_id
            WHERE e.name = \(ensemble) AND s.role = \(role.rawValue) AND s.version = \(version)
            """
        ) { try $0.decode([UInt8].self) }.first
    }

    /// The roles that have versions of their own in every ensemble and are kept.
    public enum SignedRole: String, Hashable, Sendable, CaseIterable {
        case targets
        case snapshot
    }

    /// A published manifest by its digest; nil when the ensemble has none.
    public func manifest(ensemble: String, sha256: ContentDigest) async throws -> [UInt8]? {
        try await query(
            """
            SELECT m.body FROM manifest m JOIN ensemble e ON e.id = m.ensemble_id
            WHERE e.name = \(ensemble) AND m.sha256 = \(sha256.hex)
            """
        ) { try $0.decode([UInt8].self) }.first
    }

    // MARK: Root

    /// The root of a version, or the newest; nil when there is none.
    public func root(version: Int? = nil) async throws -> SignedMetadata? {
        try await query(
            """
            SELECT version, body, created_at FROM root_metadata
            WHERE version = coalesce(\(version), (SELECT max(version) FROM root_metadata))
            """
        ) { SignedMetadata(version: try $0["version"], bytes: try $0["body"], signedAt: try $0["created_at"]) }.first
    }

    /// Makes a root the newest. Whether it may be is for the caller to verify.
    ///
    /// - Returns: false when this very root is stored already.
    /// - Throws: ``StoreError`` with code `conflict` when its version is not the next one.
    @discardableResult
    public func addRoot(_ body: [UInt8], version: Int, actor: String, now: Date) async throws -> Bool {
        try await transaction { connection in
            try await connection.execute("LOCK TABLE root_metadata IN SHARE ROW EXCLUSIVE MODE")
            let rows = try await connection.query(
                """
                SELECT coalesce(max(version), 0) AS newest,
                       coalesce(bool_or(version = \(version) AND body = \(body)), false) AS is_known
                FROM root_metadata
                """)
            guard let newest: Int = try rows.first?["newest"], let isKnown: Bool = try rows.first?["is_known"] else {
                throw StoreError(.internalError, "the newest root could not be read")
            }
            if isKnown { return false }
            guard version == newest + 1 else {
                throw StoreError(
                    .conflict,
                    "root \(version) cannot follow root \(newest): make root \(newest + 1) from the registry's newest")
            }
            try await connection.execute(
                """
                INSERT INTO root_metadata (version, body, created_at, created_by)
                VALUES (\(version), \(body), \(now), \(actor))
                """)
            try await Self.audit(
                .addRoot, subject: "root \(version)", actor: actor,
                detail: ["sha256": .string(ContentDigest.of(body).hex)], on: connection)
            return true
        }
    }
}

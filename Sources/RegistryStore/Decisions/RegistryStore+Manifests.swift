public import EnsembleModel
import Postgres

extension RegistryStore {
    /// A published manifest, as it was committed.
    public struct PublishedManifest: Hashable, Sendable {
        /// Canonical JSON.
        public var bytes: [UInt8]
        public var sha256: ContentDigest
        public var sequence: Int
    }

    /// An ensemble's manifest of a number, or the newest; nil when there is none.
    ///
    /// - Throws: ``StoreError`` with code `ensembleNotFound`; `corrupt` when the bytes do not match their digest.
    public func manifest(ensemble: String, sequence: Int? = nil) async throws -> PublishedManifest? {
        let found = try await query(
            """
            SELECT m.body, m.sha256, m.sequence
            FROM ensemble e JOIN ensemble_head h ON h.ensemble_id = e.id
            LEFT JOIN manifest m ON m.ensemble_id = e.id AND m.sequence = coalesce(\(sequence), h.sequence)
            WHERE e.name = \(ensemble)
            """
        ) { row -> PublishedManifest? in
            guard let sequence: Int = try row["sequence"] else { return nil }
            return PublishedManifest(bytes: try row["body"], sha256: try row.digest("sha256"), sequence: sequence)
        }
        guard let manifest = found.first else { throw StoreError.ensembleNotFound(ensemble) }
        if let manifest, ContentDigest.of(manifest.bytes) != manifest.sha256 {
            throw StoreError(
                .corrupt,
                "manifest \(manifest.sequence) of '\(ensemble)' does not match its digest; restore it from a backup")
        }
        return manifest
    }

    /// A published combiner's LightGBM text model; nil when no manifest refers to it.
    ///
    /// - Throws: ``StoreError`` with code `corrupt` when the text does not match its digest.
    public func combiner(_ digest: ContentDigest) async throws -> [UInt8]? {
        let found = try await query(
            """
            SELECT c.body FROM combiner c
            WHERE c.sha256 = \(digest.hex) AND EXISTS (SELECT FROM manifest m WHERE m.combiner_sha256 = c.sha256)
            """
        ) { try $0.decode([UInt8].self) }
        guard let text = found.first else { return nil }
        guard ContentDigest.of(text) == digest else {
            throw StoreError(.corrupt, "a stored combiner does not match its digest; restore it from a backup")
        }
        return text
    }
}

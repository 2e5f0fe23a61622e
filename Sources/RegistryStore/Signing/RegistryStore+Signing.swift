public import Foundation
import Postgres

extension RegistryStore {
    /// The ensembles whose metadata is older than it may become, is not of the newest manifest, or is signed with keys
    /// of an older root.
    public func ensemblesToSign(_ ages: RenewalAges, now: Date) async throws -> [String] {
        try await query(
            """
            SELECT e.name
            FROM ensemble e JOIN ensemble_head h ON h.ensemble_id = e.id
            LEFT JOIN metadata_head t ON t.ensemble_id = e.id
            WHERE h.sequence > 0
              AND (t.ensemble_id IS NULL OR (t.generation, t.sequence) <> (h.generation, h.sequence)
                   OR t.root_version < (SELECT max(version) FROM root_metadata)
                   OR least(t.targets_signed_at, t.snapshot_signed_at)
                      < \(now.addingTimeInterval(-ages.targetsAndSnapshot))
                   OR t.timestamp_signed_at < \(now.addingTimeInterval(-ages.timestamp)))
            ORDER BY e.name
            """
        ) { try $0.decode(String.self) }
    }

    /// Signs an ensemble's metadata again as far as it is due; nothing when another daemon just has.
    ///
    /// - Returns: whether anything was signed.
    /// - Throws: ``StoreError`` with code `ensembleNotFound`, `signingKeysMissing` or `signingKeysOutdated`; what the
    ///   signer throws.
    @discardableResult
    public func renewMetadata(ensemble: String, _ ages: RenewalAges, now: Date) async throws -> Bool {
        try await transaction { connection in
            let head = try await EnsembleHead.read(ensemble, lock: .update, on: connection)
            guard head.sequence > 0 else { return false }
            let signing = try await MetadataSigning(head.champion, head, signer: signer, on: connection)
            guard let scope = signing.due(ages, now: now) else { return false }
            try await signing.sign(scope, now: now, on: connection)
            return true
        }
    }
}

extension EnsembleHead {
    /// The champion that the head names.
    var champion: ChampionNumber { ChampionNumber(ensemble: ensemble, generation: generation, sequence: sequence) }
}

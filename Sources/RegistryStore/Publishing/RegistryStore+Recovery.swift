import EnsembleModel
public import Foundation
import Postgres

extension RegistryStore {
    /// What a recovery did to an ensemble.
    public struct Recovery: Hashable, Sendable {
        public var champion: ChampionNumber
        /// The newest manifest that the restored backup had.
        public var restored: ChampionNumber
        /// The highest versions that nodes had reported.
        public var reported: MetadataVersions
        /// The first versions of the recovery.
        public var versions: MetadataVersions
    }

    /// Goes on after the database was restored from a backup: publishes each champion again, in a new generation, above
    /// every number that nodes have reported or that may have been used since the backup.
    ///
    /// - Parameter margin: versions to leave out beyond what is known; to them come as many as the time since the last
    ///   signature allows at one timestamp a second.
    /// - Throws: ``StoreError`` with code `signingKeysMissing`, `signingKeysOutdated`; what the signer throws. The
    ///   ensembles before the one that fails are recovered.
    public func recover(reason: String, actor: String, margin: Int = 1000, now: Date) async throws -> [Recovery] {
        let ensembles = try await query(
            """
            SELECT e.name FROM ensemble e JOIN ensemble_head h ON h.ensemble_id = e.id WHERE h.sequence > 0
            ORDER BY e.name
            """
        ) { try $0.decode(String.self) }
        var recoveries: [Recovery] = []
        for ensemble in ensembles {
            recoveries.append(
                try await transaction { connection in
                    let head = try await EnsembleHead.read(ensemble, lock: .update, on: connection)
                    return try await recover(
                        head, reason: reason, actor: actor, margin: margin, now: now, on: connection)
                })
        }
        return recoveries
    }

    private func recover(
        _ head: EnsembleHead, reason: String, actor: String, margin: Int, now: Date, on connection: Connection
    ) async throws -> Recovery {
        guard let newest = try await Self.published(head.sequence, head, on: connection) else {
            throw StoreError(.corrupt, "'\(head.ensemble)' has no manifest \(head.sequence); restore another backup")
        }
        let (reported, generation, sequence) = try await Self.reported(head, on: connection)
        let signing = try await MetadataSigning(head.champion, head, signer: signer, on: connection)
        let elapsed = signing.timestampSignedAt.map { max(0, Int(now.timeIntervalSince($0))) } ?? 0
        let base = signing.used.raised(to: reported)
        let used = MetadataVersions(
            targets: base.targets + margin, snapshot: base.snapshot + margin,
            timestamp: base.timestamp + margin + elapsed)
        let champion = try newest.again(
            as: .recovery, generation: max(head.generation, generation) + 1,
            sequence: max(head.sequence, sequence) + 1, after: newest.digest, actor: actor, reason: reason, now: now)
        let (digest, _) = try await champion.publish(
            over: head, signer: signer, skipping: used, now: now, on: connection)
        try await Self.audit(
            .recover, subject: "ensemble \(head.ensemble)", actor: actor,
            detail: [
                "generation": .integer(Int64(champion.manifest.generation)),
                "sequence": .integer(Int64(champion.manifest.sequence)), "manifest": .string(digest.hex),
                "reason": .string(reason),
            ], on: connection)
        return Recovery(
            champion: ChampionNumber(
                ensemble: head.ensemble, generation: champion.manifest.generation,
                sequence: champion.manifest.sequence),
            restored: head.champion, reported: reported,
            versions: MetadataVersions(
                targets: used.targets + 1, snapshot: used.snapshot + 1, timestamp: used.timestamp + 1))
    }

    /// The highest numbers that nodes have reported; zeros without reports.
    private static func reported(
        _ head: EnsembleHead, on connection: Connection
    ) async throws -> (versions: MetadataVersions, generation: Int, sequence: Int) {
        let rows = try await connection.query(
            """
            SELECT coalesce(max(targets_version), 0) AS targets, coalesce(max(snapshot_version), 0) AS snapshot,
                   coalesce(max(timestamp_version), 0) AS timestamp,
                   coalesce(max(running_generation), 0) AS generation, coalesce(max(running_sequence), 0) AS sequence
            FROM node_report WHERE ensemble_id = \(head.ensembleID)
            """)
        guard let row = rows.first else { return (MetadataVersions(targets: 0, snapshot: 0, timestamp: 0), 0, 0) }
        return (
            MetadataVersions(
                targets: try row["targets"], snapshot: try row["snapshot"], timestamp: try row["timestamp"]),
            try row["generation"], try row["sequence"]
        )
    }
}

import EnsembleModel
import Foundation
import Postgres

/// The signing of an ensemble's metadata, under the lock of its head.
struct MetadataSigning {
    /// The roles that are signed anew: a signature of one needs new ones of those after it.
    enum Scope {
        case targets
        case snapshot
        case timestamp
    }

    /// What is the newest before.
    private struct Newest {
        let champion: ChampionNumber
        let rootVersion: Int
        let targets: SignedMetadata
        let snapshot: SignedMetadata
        let timestamp: SignedMetadata
    }

    private let champion: ChampionNumber
    private let ensembleID: Int64
    private let signer: any MetadataSigner
    private let newest: Newest?
    /// Share of the nodes that may serve the champion; nil for all.
    private let rollout: Int?
    /// Versions up to which none may be used again.
    private(set) var used: MetadataVersions

    /// Reads what was signed last.
    ///
    /// - Parameter champion: the head's champion, or the one that takes its place in this transaction.
    /// - Throws: ``StoreError`` with code `signingKeysMissing` without a signer, `signingKeysOutdated` when it is of
    ///   another root than the newest.
    init(
        _ champion: ChampionNumber, _ head: EnsembleHead, signer: (any MetadataSigner)?, on connection: Connection
    ) async throws {
        guard let signer else {
            throw StoreError(
                .signingKeysMissing,
                "this daemon has no keys to sign manifests with: start it with --keys, or ask one that has them")
        }
        // A root that comes while this transaction signs makes its metadata due for renewal.
        let roots = try await connection.query("SELECT max(version) AS version FROM root_metadata")
        let root: Int? = try roots.first?["version"]
        guard root == signer.rootVersion else {
            throw StoreError(
                .signingKeysOutdated,
                "this daemon's keys are of root \(signer.rootVersion), the registry's root is "
                    + "\(root.map(String.init) ?? "not there yet"): give it the keys of the newest root")
        }
        self.champion = champion
        self.signer = signer
        ensembleID = head.ensembleID
        newest = try await Self.newest(head, on: connection)
        rollout = try await StoredRollout.read(head.ensembleID, champion.sequence, on: connection)?.rollout.signedShare
        used = MetadataVersions(
            targets: newest?.targets.version ?? 0, snapshot: newest?.snapshot.version ?? 0,
            timestamp: newest?.timestamp.version ?? 0)
    }

    private static func newest(_ head: EnsembleHead, on connection: Connection) async throws -> Newest? {
        try await connection.query(
            """
            SELECT t.*, a.body AS targets, s.body AS snapshot
            FROM metadata_head t
            JOIN signed_metadata a
              ON (a.ensemble_id, a.role, a.version) = (t.ensemble_id, 'targets', t.targets_version)
            JOIN signed_metadata s
              ON (s.ensemble_id, s.role, s.version) = (t.ensemble_id, 'snapshot', t.snapshot_version)
            WHERE t.ensemble_id = \(head.ensembleID)
            """
        ).first.map { row in
            Newest(
                champion: ChampionNumber(
                    ensemble: head.ensemble, generation: try row["generation"], sequence: try row["sequence"]),
                rootVersion: try row["root_version"],
                targets: SignedMetadata(
                    version: try row["targets_version"], bytes: try row["targets"],
                    signedAt: try row["targets_signed_at"]),
                snapshot: SignedMetadata(
                    version: try row["snapshot_version"], bytes: try row["snapshot"],
                    signedAt: try row["snapshot_signed_at"]),
                timestamp: SignedMetadata(
                    version: try row["timestamp_version"], bytes: try row["timestamp_body"],
                    signedAt: try row["timestamp_signed_at"]))
        }
    }

    /// What has to be signed now; nil for nothing.
    func due(_ ages: RenewalAges, now: Date) -> Scope? {
        guard let newest, newest.champion == champion, newest.rootVersion == signer.rootVersion,
            now.timeIntervalSince(newest.targets.signedAt) <= ages.targetsAndSnapshot
        else { return .targets }
        if now.timeIntervalSince(newest.snapshot.signedAt) > ages.targetsAndSnapshot { return .snapshot }
        return now.timeIntervalSince(newest.timestamp.signedAt) > ages.timestamp ? .timestamp : nil
    }

    /// When the newest timestamp was signed; nil before the first.
    var timestampSignedAt: Date? { newest?.timestamp.signedAt }

    /// Leaves out versions that may have been used although they are not on record.
    mutating func skip(to versions: MetadataVersions) {
        used = used.raised(to: versions)
    }

    /// Signs, each role with its next version, and makes that the newest. What is of another champion, or of an older
    /// root's keys, is signed anew whatever the scope.
    func sign(_ scope: Scope, now: Date, on connection: Connection) async throws {
        let isKept = newest.map { $0.champion == champion && $0.rootVersion == signer.rootVersion } ?? false
        let scope = isKept ? scope : .targets
        let (targets, snapshot): (SignedMetadata, SignedMetadata)
        if scope != .targets, let kept = newest?.targets {
            targets = kept
        } else {
            let files = try await files(on: connection)
            targets = try signed(after: used.targets, now) { try signer.targets(files, version: $0, now: now) }
            try await store(targets, as: "targets", on: connection)
        }
        if scope == .timestamp, let kept = newest?.snapshot {
            snapshot = kept
        } else {
            snapshot = try signed(after: used.snapshot, now) {
                try signer.snapshot(of: champion, targets: targets, version: $0, now: now)
            }
            try await store(snapshot, as: "snapshot", on: connection)
        }
        let timestamp = try signed(after: used.timestamp, now) {
            try signer.timestamp(of: champion, snapshot: snapshot, rollout: rollout, version: $0, now: now)
        }
        try await makeNewest(targets, snapshot, timestamp, on: connection)
    }

    private func signed(after version: Int, _ now: Date, by sign: (Int) throws -> [UInt8]) rethrows -> SignedMetadata {
        SignedMetadata(version: version + 1, bytes: try sign(version + 1), signedAt: now)
    }

    private func files(on connection: Connection) async throws -> PublishedFiles {
        let rows = try await connection.query(
            """
            SELECT octet_length(m.body) AS length, m.sha256, c.bytes AS combiner_length, m.combiner_sha256
            FROM manifest m JOIN combiner c ON c.sha256 = m.combiner_sha256
            WHERE m.ensemble_id = \(ensembleID) AND m.sequence = \(champion.sequence)
            """)
        guard let row = rows.first else {
            throw StoreError(.corrupt, "'\(champion.ensemble)' has no manifest \(champion.sequence) to sign")
        }
        return PublishedFiles(
            champion: champion, manifest: .init(length: try row["length"], sha256: try row.digest("sha256")),
            combiner: .init(length: try row["combiner_length"], sha256: try row.digest("combiner_sha256")))
    }

    private func store(_ signed: SignedMetadata, as role: String, on connection: Connection) async throws {
        try await connection.execute(
            """
            INSERT INTO signed_metadata (ensemble_id, role, version, body, sequence, signed_at)
            VALUES (\(ensembleID), \(role), \(signed.version), \(signed.bytes), \(champion.sequence),
                    \(signed.signedAt))
            """)
    }

    private func makeNewest(
        _ targets: SignedMetadata, _ snapshot: SignedMetadata, _ timestamp: SignedMetadata, on connection: Connection
    ) async throws {
        try await connection.execute(
            """
            INSERT INTO metadata_head (ensemble_id, generation, sequence, root_version, targets_version,
                                       targets_signed_at, snapshot_version, snapshot_signed_at, timestamp_version,
                                       timestamp_signed_at, timestamp_body, rollout)
            VALUES (\(ensembleID), \(champion.generation), \(champion.sequence), \(signer.rootVersion),
                    \(targets.version), \(targets.signedAt), \(snapshot.version), \(snapshot.signedAt),
                    \(timestamp.version), \(timestamp.signedAt), \(timestamp.bytes), \(rollout))
            ON CONFLICT (ensemble_id) DO UPDATE
            SET generation = excluded.generation, sequence = excluded.sequence, root_version = excluded.root_version,
                targets_version = excluded.targets_version, targets_signed_at = excluded.targets_signed_at,
                snapshot_version = excluded.snapshot_version, snapshot_signed_at = excluded.snapshot_signed_at,
                timestamp_version = excluded.timestamp_version, timestamp_signed_at = excluded.timestamp_signed_at,
                timestamp_body = excluded.timestamp_body, rollout = excluded.rollout
            """)
    }
}

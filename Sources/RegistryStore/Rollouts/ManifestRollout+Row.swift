import EnsembleModel
import Foundation
import Postgres

/// A rollout as it is stored, with what a change of it is checked against.
struct StoredRollout: Sendable {
    var rollout: ManifestRollout
    let revision: Int

    /// The rollout of a head's manifest; nil when it went to all nodes at once.
    static func read(_ head: EnsembleHead, on connection: Connection) async throws -> StoredRollout? {
        try await read(head.ensembleID, head.sequence, on: connection)
    }

    /// The rollout of a manifest; nil when it goes to all nodes at once.
    static func read(_ ensembleID: Int64, _ sequence: Int, on connection: Connection) async throws -> StoredRollout? {
        try await connection.query(
            "SELECT * FROM rollout WHERE ensemble_id = \(ensembleID) AND sequence = \(sequence)"
        ).first.map(StoredRollout.init(row:))
    }

    private init(row: Row) throws {
        revision = try row["revision"]
        rollout = ManifestRollout(
            sequence: try row["sequence"],
            settings: .init(bakeSeconds: try row["bake_seconds"], toleratedRefusals: try row["tolerated_refusals"]),
            state: try row.value("state"), share: try row["share"], startedAt: try row["started_at"],
            stageStartedAt: try row["stage_started_at"], bakingSince: try row["baking_since"],
            reason: try row["reason"], excused: Set(try row["excused"] as [String]))
    }

    /// Writes a change down, if nobody else has changed it since it was read.
    ///
    /// - Returns: whether it was written.
    func replace(with next: ManifestRollout, _ head: EnsembleHead, on connection: Connection) async throws -> Bool {
        try await connection.execute(
            """
            UPDATE rollout
            SET state = \(next.state.rawValue), share = \(next.share), stage_started_at = \(next.stageStartedAt),
                baking_since = \(next.bakingSince), reason = left(\(next.reason), 2000),
                excused = \(next.excused.sorted()), revision = revision + 1
            WHERE ensemble_id = \(head.ensembleID) AND sequence = \(next.sequence) AND revision = \(revision)
            """) == 1
    }
}

extension ManifestRollout {
    /// Writes a new one down.
    func begin(_ ensembleID: Int64, on connection: Connection) async throws {
        try await connection.execute(
            """
            INSERT INTO rollout (ensemble_id, sequence, state, share, bake_seconds, tolerated_refusals, started_at,
                                 stage_started_at, reason, excused)
            VALUES (\(ensembleID), \(sequence), \(state.rawValue), \(share), \(settings.bakeSeconds),
                    \(settings.toleratedRefusals), \(startedAt), \(stageStartedAt), '', '{}')
            """)
    }

    /// Ends the rollouts of an ensemble's earlier manifests: another takes their place.
    static func supersede(_ head: EnsembleHead, on connection: Connection) async throws {
        try await connection.execute(
            """
            UPDATE rollout SET state = 'superseded', reason = '', revision = revision + 1
            WHERE ensemble_id = \(head.ensembleID) AND state IN ('baking', 'halted')
            """)
    }

    /// What the nodes of an ensemble say of a manifest; without those that are pinned.
    static func nodes(_ ensembleID: Int64, _ sequence: Int, on connection: Connection) async throws -> [Node] {
        try await connection.query(
            """
            SELECT r.node, r.reported_at, r.refused_stage, r.refused_code,
                   r.running_sha256 IS NOT DISTINCT FROM m.sha256 AS serves,
                   r.attempted_sha256 IS NOT DISTINCT FROM m.sha256 AS attempted
            FROM node_report r
            JOIN manifest m ON m.ensemble_id = r.ensemble_id AND m.sequence = \(sequence)
            WHERE r.ensemble_id = \(ensembleID) AND r.state <> 'pinned'
            ORDER BY r.node
            """
        ).map { row in
            let stage: NodeReport.Stage? = try row.optional("refused_stage")
            return Node(
                id: try row["node"],
                standing: try Node.Standing(
                    serves: row["serves"], attempted: row["attempted"],
                    refusal: stage.map { NodeReport.Refusal(stage: $0, code: try row["refused_code"], message: "") }),
                reportedAt: try row["reported_at"])
        }
    }
}

extension ManifestRollout.Node.Standing {
    fileprivate init(serves: Bool, attempted: Bool, refusal: NodeReport.Refusal?) {
        // A node that serves it says so of other things that it refuses, but for what fails as it runs.
        if let refusal, attempted, !refusal.isTransient, !serves || refusal.stage == .runtime {
            self = .refuses("\(refusal.stage.rawValue): \(refusal.code)")
        } else {
            self = serves ? .serves : .waits
        }
    }
}

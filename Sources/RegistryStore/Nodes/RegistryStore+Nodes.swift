public import EnsembleModel
public import Foundation
import Postgres

extension RegistryStore {
    /// What one node said of one ensemble.
    public struct NewNodeReport: Hashable, Sendable, Encodable {
        public var node: String
        public var report: NodeReport

        public init(node: String, report: NodeReport) {
            self.node = node
            self.report = report
        }
    }

    /// Keeps what nodes have said, the newest of each; one statement however many there are. Reports of ensembles that
    /// do not exist are left out.
    ///
    /// - Parameter reports: at most one of each node and ensemble.
    public func report(_ reports: [NewNodeReport], now: Date) async throws {
        guard !reports.isEmpty else { return }
        let reports = try JSON(encoding: reports)
        _ = try await transaction { connection in
            try await connection.execute(
                """
                INSERT INTO node_report (
                    node, ensemble_id, program_version, first_reported_at, reported_at, state, running_generation,
                    running_sequence, running_sha256, attempted_sha256, refused_stage, refused_code, refused_message,
                    root_version, targets_version, snapshot_version, timestamp_version, figures)
                SELECT r.node, e.id, r.report ->> 'program', \(now), \(now), r.report ->> 'state',
                       (r.report #>> '{running,generation}')::integer, (r.report #>> '{running,sequence}')::integer,
                       r.report #>> '{running,sha256}', r.report ->> 'attempted', r.report #>> '{refusal,stage}',
                       r.report #>> '{refusal,code}', left(r.report #>> '{refusal,message}', 2000),
                       (r.report #>> '{versions,root}')::integer, (r.report #>> '{versions,targets}')::integer,
                       (r.report #>> '{versions,snapshot}')::integer, (r.report #>> '{versions,timestamp}')::integer,
                       r.report -> 'figures'
                FROM jsonb_to_recordset(\(reports)) AS r (node text, report jsonb)
                JOIN ensemble e ON e.name = r.report ->> 'ensemble'
                ORDER BY r.node, e.id
                ON CONFLICT (node, ensemble_id) DO UPDATE
                SET program_version = excluded.program_version, reported_at = excluded.reported_at,
                    state = excluded.state, running_generation = excluded.running_generation,
                    running_sequence = excluded.running_sequence, running_sha256 = excluded.running_sha256,
                    attempted_sha256 = excluded.attempted_sha256, refused_stage = excluded.refused_stage,
                    refused_code = excluded.refused_code, refused_message = excluded.refused_message,
                    root_version = excluded.root_version, targets_version = excluded.targets_version,
                    snapshot_version = excluded.snapshot_version, timestamp_version = excluded.timestamp_version,
                    figures = excluded.figures
                """)
        }
    }

    /// How the nodes of each ensemble stand; none of those without nodes.
    ///
    /// - Parameter time: nodes that have not reported since are silent.
    public func nodeCounts(silentBefore time: Date) async throws -> [String: NodeCounts] {
        let counts = try await query(
            """
            SELECT e.name, count(*) AS nodes,
                   count(*) FILTER (WHERE r.running_sha256 = m.sha256) AS current,
                   count(*) FILTER (WHERE r.refused_stage IS NOT NULL AND r.attempted_sha256 = m.sha256
                                    AND (r.running_sha256 IS DISTINCT FROM m.sha256 OR r.refused_stage = 'runtime'))
                       AS refused,
                   count(*) FILTER (WHERE r.state = 'stale') AS stale,
                   count(*) FILTER (WHERE r.reported_at < \(time)) AS silent
            FROM node_report r
            JOIN ensemble e ON e.id = r.ensemble_id
            JOIN ensemble_head h ON h.ensemble_id = e.id
            LEFT JOIN manifest m ON m.ensemble_id = e.id AND m.sequence = h.sequence
            GROUP BY e.name
            """
        ) { row in
            (
                try row["name"] as String,
                NodeCounts(
                    all: try row["nodes"], current: try row["current"], refused: try row["refused"],
                    stale: try row["stale"], silent: try row["silent"])
            )
        }
        return Dictionary(counts) { $1 }
    }

    /// The nodes that follow an ensemble, by name, those after a name.
    ///
    /// - Throws: ``StoreError`` with code `ensembleNotFound`.
    public func nodes(ensemble: String, after node: String? = nil, limit: Int = 100) async throws -> [NodeRecord] {
        try await checkExists(ensemble: ensemble)
        return try await query(
            """
            SELECT r.*, e.name AS ensemble, h.sequence AS wanted, m.sha256 AS wanted_sha256, t.rollout
            FROM node_report r
            JOIN ensemble e ON e.id = r.ensemble_id
            JOIN ensemble_head h ON h.ensemble_id = e.id
            LEFT JOIN manifest m ON m.ensemble_id = e.id AND m.sequence = h.sequence
            LEFT JOIN metadata_head t ON t.ensemble_id = e.id AND t.sequence = h.sequence
            WHERE e.name = \(ensemble) AND r.node > \(node ?? "")
            ORDER BY r.node LIMIT \(StoreLimits.page(limit))
            """, NodeRecord.init(row:))
    }
}

extension NodeRecord {
    fileprivate init(row: Row) throws {
        let stage: NodeReport.Stage? = try row.optional("refused_stage")
        let report = NodeReport(
            ensemble: try row["ensemble"], program: try row["program_version"], state: try row.value("state"),
            running: try row.optionalDigest("running_sha256").map {
                .init(generation: try row["running_generation"], sequence: try row["running_sequence"], sha256: $0)
            },
            attempted: try row.optionalDigest("attempted_sha256"),
            refusal: try stage.map {
                .init(stage: $0, code: try row["refused_code"], message: try row["refused_message"] ?? "")
            },
            versions: .init(
                root: try row["root_version"], targets: try row["targets_version"],
                snapshot: try row["snapshot_version"], timestamp: try row["timestamp_version"]),
            figures: try row.json("figures"))
        let (node, wanted): (String, Int) = (try row["node"], try row["wanted"])
        let standing = Standing(
            report, wanted: try row.optionalDigest("wanted_sha256"),
            isReached: Rollout.includes(node: node, sequence: wanted, share: try row["rollout"]))
        self.init(
            node: node, report: report, standing: standing, wanted: wanted,
            firstReportedAt: try row["first_reported_at"], reportedAt: try row["reported_at"])
    }
}

extension NodeRecord.Standing {
    /// How a report stands to the newest manifest.
    fileprivate init(_ report: NodeReport, wanted: ContentDigest?, isReached: Bool) {
        if report.state == .pinned {
            self = .pinned
        } else if report.running?.sha256 == wanted {
            self = report.refusal?.stage == .runtime ? .failing : .current
        } else if report.refusal != nil, report.attempted == wanted {
            self = .refused
        } else {
            // A node with nothing to serve takes what there is.
            self = isReached || report.running == nil ? .behind : .waiting
        }
    }
}

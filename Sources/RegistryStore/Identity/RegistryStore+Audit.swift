import EnsembleModel
import Postgres

/// One link of the audit chain.
struct AuditEvent: Sendable {
    static let beforeFirst = String(repeating: "0", count: 64)

    var id: Int64
    /// Microseconds since 1970, as the database's clock read them.
    var at: Int64
    var actor: String
    var action: String
    var subject: String
    /// Canonical JSON.
    var detail: String
    /// Digest of the event before.
    var previous: String

    /// Over the canonical form of everything above.
    var digest: ContentDigest {
        let value: CanonicalValue = [
            "id": .integer(id), "at": .integer(at), "actor": .string(actor), "action": .string(action),
            "subject": .string(subject), "detail": .string(detail), "previous": .string(previous),
        ]
        return value.digest
    }
}

extension AuditEvent {
    fileprivate init(row: Row) throws {
        self.init(
            id: try row["id"], at: try row["at"], actor: try row["actor"], action: try row["action"],
            subject: try row["subject"], detail: try row["detail"], previous: try row["previous_sha256"])
    }
}

/// What is audited, by its stored name.
enum AuditAction: String {
    case createEnsemble = "ensemble.create"
    case setPolicy = "policy.set"
    case startEpoch = "epoch.start"
    case submit = "submission.create"
    case resubmit = "submission.repeat"
    case requestFounding = "founding.request"
    case retry = "evaluation.retry"
    case cancel = "evaluation.cancel"
    case decide = "decision.publish"
    case awaitApproval = "decision.await_approval"
    case approve = "decision.approve"
    case reject = "decision.reject"
    case supersede = "decision.supersede"
    case requestReplay = "replay.request"
    case readChampionRows = "rows.read_labelled"
    case readSealedEvidence = "evidence.read_sealed"
    case addRoot = "root.add"
    case rollBack = "manifest.roll_back"
    case recover = "registry.recover"
    case rollOut = "manifest.roll_out"
    case createToken = "token.create"
    case revokeToken = "token.revoke"
}

extension RegistryStore {
    private static let auditPage = 1000

    /// Recomputes the chain from its beginning. Events cut off its end cannot be noticed from within.
    ///
    /// - Returns: the id of the first event that is missing or changed; nil when all are as they were written.
    public func verifyAudit() async throws -> Int64? {
        var expected: Int64 = 1
        var previous = AuditEvent.beforeFirst
        while true {
            let events = try await query(
                """
                SELECT id, (extract(epoch FROM at) * 1000000)::bigint AS at, actor, action, subject, detail,
                       previous_sha256, sha256
                FROM audit_event WHERE id >= \(expected) ORDER BY id LIMIT \(Self.auditPage)
                """
            ) { row in (try AuditEvent(row: row), try row["sha256"] as String) }
            for (event, stored) in events {
                guard event.id == expected, event.previous == previous, event.digest.hex == stored else {
                    return expected
                }
                previous = stored
                expected += 1
            }
            if events.count < Self.auditPage { return nil }
        }
    }

    /// Appends an event. The last thing a transaction does: from here to its end all others that audit wait.
    static func audit(
        _ action: AuditAction, subject: String, actor: String, detail: CanonicalValue, on connection: Connection
    ) async throws {
        _ = try await connection.query("SELECT pg_advisory_xact_lock(\(AdvisoryLock.auditChain.rawValue))")
        // A statement of its own: its snapshot must be taken after the lock.
        let rows = try await connection.query(
            """
            SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS at, last.id, last.sha256
            FROM (SELECT) AS one LEFT JOIN (SELECT id, sha256 FROM audit_event ORDER BY id DESC LIMIT 1) AS last ON true
            """)
        guard let row = rows.first else { throw StoreError(.internalError, "the audit chain's end cannot be read") }
        let last: Int64? = try row["id"]
        let previous: String? = try row["sha256"]
        let event = AuditEvent(
            id: (last ?? 0) + 1, at: try row["at"], actor: actor, action: action.rawValue, subject: subject,
            detail: String(decoding: detail.bytes, as: UTF8.self), previous: previous ?? AuditEvent.beforeFirst)
        try await connection.execute(
            """
            INSERT INTO audit_event (id, at, actor, action, subject, detail, previous_sha256, sha256)
            VALUES (\(event.id), 'epoch'::timestamptz + \(event.at) * interval '1 microsecond', \(event.actor),
                    \(event.action), \(event.subject), \(event.detail), \(event.previous), \(event.digest.hex))
            """)
    }
}

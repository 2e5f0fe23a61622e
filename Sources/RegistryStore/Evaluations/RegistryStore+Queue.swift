public import EnsembleModel
import Postgres

extension RegistryStore {
    /// Takes the oldest evaluation that may run: one of each ensemble at a time, in the order of their requests. One
    /// whose worker stopped answering is taken over; after three attempts it has failed, and one whose inputs cannot be
    /// made out at once.
    ///
    /// - Parameters:
    ///   - worker: who takes it.
    ///   - lease: how long it is held without a heartbeat.
    /// - Returns: nil when there is nothing to do.
    public func claim(worker: String, lease: Duration) async throws -> Claim? {
        do {
            return try await transaction { connection in
                try await Self.giveUpExpired(on: connection)
                guard let row = try await connection.query(Self.claimStatement(worker: worker, lease: lease)).first
                else {
                    return nil
                }
                do {
                    return try await Self.claim(row, on: connection)
                } catch let error as StoreError where error.code == .corrupt || error.code == .conflict {
                    // Every other claim would find the same, and so hold up what is queued behind it.
                    try await Self.giveUp(try row["id"], error.message, on: connection)
                    return nil
                }
            }
        } catch let error as StoreError where error.violates("evaluation_one_in_flight") {
            // Two workers took two evaluations of one ensemble; the other was first.
            return nil
        }
    }

    /// Extends a lease and shows progress.
    ///
    /// - Throws: ``StoreError`` with code `leaseLost` when the evaluation was taken over or cancelled.
    public func heartbeat(_ claim: Claim, progress: EvaluationProgress, lease: Duration) async throws {
        try await change(
            claim,
            """
            lease_expires_at = now() + \(lease.seconds) * interval '1 second', progress = \(JSON(encoding: progress))
            """)
    }

    /// Ends an attempt without an outcome. With `retryable` the evaluation is queued again, until three attempts have
    /// failed.
    ///
    /// - Throws: ``StoreError`` with code `leaseLost`.
    public func fail(_ claim: Claim, reason: String, retryable: Bool) async throws {
        let again: SQL = "\(retryable) AND attempt < \(StoreLimits.attempts)"
        try await change(
            claim,
            """
            state = CASE WHEN \(again) THEN 'queued' ELSE 'failed' END,
            finished_at = CASE WHEN \(again) THEN NULL ELSE now() END,
            failure = \(String(reason.prefix(StoreLimits.failureLength))), progress = NULL, lease_expires_at = NULL
            """)
    }

    /// Gives an evaluation back, as when the worker is told to stop: the attempt does not count.
    ///
    /// - Throws: ``StoreError`` with code `leaseLost`.
    public func release(_ claim: Claim) async throws {
        try await change(
            claim, "state = 'queued', attempt = attempt - 1, progress = NULL, lease_expires_at = NULL")
    }

    private func change(_ claim: Claim, _ assignments: SQL) async throws {
        let changed = try await query(
            """
            UPDATE evaluation SET \(assignments)
            WHERE id = \(claim.evaluation) AND fence_token = \(claim.fenceToken) AND state = 'evaluating'
            RETURNING id
            """
        ) { try $0.decode(Int64.self) }
        if changed.isEmpty { throw StoreError.leaseLost(claim.evaluation) }
    }

    private static func giveUp(_ evaluation: Int64, _ reason: String, on connection: Connection) async throws {
        try await connection.execute(
            """
            UPDATE evaluation
            SET state = 'failed', finished_at = now(), lease_expires_at = NULL,
                failure = \(String(reason.prefix(StoreLimits.failureLength)))
            WHERE id = \(evaluation)
            """)
    }

    private static func giveUpExpired(on connection: Connection) async throws {
        try await connection.execute(
            """
            WITH c AS MATERIALIZED (
                SELECT id FROM evaluation
                WHERE state = 'evaluating' AND lease_expires_at < now() AND attempt >= \(StoreLimits.attempts)
                FOR UPDATE SKIP LOCKED
            )
            UPDATE evaluation v
            SET state = 'failed', finished_at = now(), progress = NULL, lease_expires_at = NULL,
                failure = format('the worker stopped answering; gave up after %s attempts', v.attempt)
            FROM c WHERE v.id = c.id
            """)
    }

    /// Of each ensemble only the oldest queued evaluation, and only when none is in flight; or one in flight whose
    /// lease is over. Replays, which change nothing, come when there is nothing else to do.
    private static func claimStatement(worker: String, lease: Duration) -> SQL {
        """
        WITH c AS MATERIALIZED (
            SELECT v.id FROM evaluation v
            WHERE (v.state = 'evaluating' AND v.lease_expires_at < now())
               OR (v.state = 'queued' AND v.kind = 'replay')
               OR (v.state = 'queued' AND NOT EXISTS (
                    SELECT FROM evaluation o
                    WHERE o.ensemble_id = v.ensemble_id AND o.kind <> 'replay'
                      AND (o.state IN ('evaluating', 'evaluated') OR (o.state = 'queued' AND o.id < v.id))))
            ORDER BY v.kind = 'replay', v.id LIMIT 1 FOR UPDATE SKIP LOCKED
        )
        UPDATE evaluation v
        SET state = 'evaluating', attempt = v.attempt + 1, fence_token = nextval('fence_token'), worker = \(worker),
            lease_expires_at = now() + \(lease.seconds) * interval '1 second', progress = NULL, started_at = now(),
            against_sequence = h.sequence, against_epoch = h.epoch, against_policy_version = h.policy_version,
            against_ledger_revision = l.revision
        FROM c, ensemble_head h JOIN ledger l ON l.ensemble_id = h.ensemble_id AND l.epoch = h.epoch
        WHERE v.id = c.id AND h.ensemble_id = v.ensemble_id
        RETURNING v.id, v.ensemble_id, v.kind, v.submission_id, v.fence_token, v.attempt, v.requested_by, v.replays,
                  v.against_sequence, v.against_epoch, v.against_policy_version, \(Ledger.columns)
        """
    }

    /// Reads what the evaluation is against: by the numbers recorded with the claim, of rows that never change. The
    /// ledger comes with the claim itself, which recorded its revision.
    private static func claim(_ claimed: Row, on connection: Connection) async throws -> Claim {
        let ensemble: Int64 = try claimed["ensemble_id"]
        if let decision: Int64 = try claimed["replays"] {
            return try await .replay(of: decision, claimed, ensemble: ensemble, on: connection)
        }
        let submission: Int64? = try claimed["submission_id"]
        let sequence: Int = try claimed["against_sequence"]
        let epoch: Int = try claimed["against_epoch"]
        let policyVersion: Int = try claimed["against_policy_version"]
        let rows = try await connection.query(
            """
            SELECT e.name, p.policy, ep.salt, ep.preset, ep.seal_key, vs.sha256, pr.members,
                   (SELECT m.reference FROM submission s JOIN model_version m ON m.id = s.model_version_id
                    WHERE s.id = \(submission)) AS challenger
            FROM ensemble e
            JOIN policy_version p ON p.ensemble_id = e.id AND p.version = \(policyVersion)
            JOIN epoch ep ON ep.ensemble_id = e.id AND ep.number = \(epoch)
            JOIN validation_set vs ON vs.id = ep.validation_set_id
            LEFT JOIN promotion pr ON pr.ensemble_id = e.id AND pr.sequence = \(sequence)
            WHERE e.id = \(ensemble)
            """)
        guard let row = rows.first else {
            throw StoreError(.corrupt, "the ensemble of an evaluation has no policy or epoch")
        }
        let kind: EvaluationKind = try claimed.value("kind")
        let champion = kind == .founding ? [] : try row.models("members")
        let challenger = try row.optionalModel("challenger")
        let judged = champion + (challenger.map { [$0] } ?? [])
        let candidates = try await candidates(
            ensemble: ensemble, epoch: epoch, among: kind == .founding ? nil : judged, on: connection)
        guard kind == .founding || Set(candidates.map(\.model)) == Set(judged) else {
            throw StoreError(
                .corrupt,
                "members or the challenger of '\(try row["name"] as String)' have no predictions in this epoch")
        }
        return Claim(
            evaluation: try claimed["id"], fenceToken: try claimed["fence_token"], attempt: try claimed["attempt"],
            ensemble: try row["name"], epoch: epoch, sequence: sequence, kind: kind, challenger: challenger,
            champion: champion, candidates: candidates, policy: try row.json("policy"), policyVersion: policyVersion,
            preset: kind == .founding ? nil : try row.optional("preset"), epochSalt: try row["salt"],
            sealKey: try row["seal_key"],
            validation: try row.digest("sha256"), submitter: try claimed["requested_by"],
            ledger: try Ledger(row: claimed), retiredLoss: try claimed["retired_loss"],
            replays: nil)
    }

    static func candidates(
        ensemble: Int64, epoch: Int, among models: [ModelVersionID]?, on connection: Connection
    ) async throws -> [Claim.Candidate] {
        let names: [String]? = models?.map(\.description)
        return try await connection.query(
            """
            SELECT s.id, m.reference, s.predictions_sha256, m.latency_ns, m.cost_nano_usd
            FROM submission s JOIN model_version m ON m.id = s.model_version_id
            WHERE s.ensemble_id = \(ensemble) AND s.epoch = \(epoch)
              AND (\(names)::text[] IS NULL OR m.reference = ANY (\(names)::text[]))
            ORDER BY m.reference
            """
        ).map { row in
            Claim.Candidate(
                submission: try row["id"], model: try row.model("reference"),
                predictions: try row.digest("predictions_sha256"),
                cost: ModelCost(latencyNanoseconds: try row["latency_ns"], costNanoUSDPerRow: try row["cost_nano_usd"]))
        }
    }
}

extension Duration {
    fileprivate var seconds: Double { self / .seconds(1) }
}

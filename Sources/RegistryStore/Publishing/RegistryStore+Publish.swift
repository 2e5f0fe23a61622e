import EnsembleModel
public import Foundation
import Logging
import Postgres

extension RegistryStore {
    /// The oldest evaluation that waits for publication.
    ///
    /// - Parameter id: skips it and those before it, so that one that cannot be published does not hold up the others.
    public func nextEvaluated(after id: Int64 = 0) async throws -> Int64? {
        try await query("SELECT id FROM evaluation WHERE state = 'evaluated' AND id > \(id) ORDER BY id LIMIT 1") {
            try $0.decode(Int64.self)
        }.first
    }

    /// Decides an evaluation, and on an admission publishes the new champion: decision, manifest, promotion and head
    /// together or not at all. However many call it at once, an evaluation is decided once.
    ///
    /// Where the policy asks for approval, an admission is decided and booked as a rejection would be: its gate test is
    /// spent, and the champion stays until ``approve(decision:reviewer:reason:now:)``.
    ///
    /// One READ COMMITTED transaction, serialised by the ensemble's head row. What the evaluation was against is
    /// checked again under that lock.
    ///
    /// - Parameters:
    ///   - evaluation: the evaluation.
    ///   - now: the time to record.
    /// - Throws: ``StoreError`` with code `databaseUnavailable` when nothing was decided, or whether it was cannot be
    ///   found out now; calling again is safe.
    public func publish(evaluation: Int64, now: Date) async throws -> Publication {
        do {
            return try await transaction { connection in
                guard let head = try await EnsembleHead.of(evaluation: evaluation, lock: .update, on: connection),
                    let pending = try await PendingDecision.read(evaluation, on: connection)
                else { return .gone }
                let revision = try await Self.lockLedger(of: head, on: connection)
                if let change = pending.change(against: head, ledgerRevision: revision) {
                    try await Self.requeue(evaluation, on: connection)
                    return .requeued(reason: change)
                }
                return try await Self.decide(pending, head, signer: signer, now: now, on: connection)
            }
        } catch let error as StoreError where error.code == .databaseUnavailable {
            // The COMMIT may have taken effect.
            logger.warning("publication interrupted", metadata: ["evaluation": "\(evaluation)", "error": "\(error)"])
            guard let publication = try? await self.publication(of: evaluation) else { throw error }
            return publication
        }
    }

    /// What was decided of an evaluation; nil when it is not decided. Waits for a publication under way, also one whose
    /// daemon is gone while Postgres still commits it.
    func publication(of evaluation: Int64) async throws -> Publication? {
        try await transaction { connection in
            _ = try await EnsembleHead.of(evaluation: evaluation, lock: .share, on: connection)
            let rows = try await connection.query(
                """
                SELECT p.sequence, d.id, d.approval FROM decision d LEFT JOIN promotion p ON p.decision_id = d.id
                WHERE d.evaluation_id = \(evaluation)
                """)
            return try rows.first.map { row in
                if try row["approval"] == "pending" { return .awaitsApproval(decision: try row["id"]) }
                return (try row["sequence"] as Int?).map { .published(sequence: $0) } ?? .decidedWithoutPromotion
            }
        }
    }

    private static func decide(
        _ pending: PendingDecision, _ head: EnsembleHead, signer: (any MetadataSigner)?, now: Date,
        on connection: Connection
    ) async throws -> Publication {
        let waits = pending.waitsForApproval
        let rows = try await connection.query(
            """
            INSERT INTO decision (ensemble_id, evaluation_id, submission_id, policy_version, is_hold, decided_at,
                                  approval, approvals_needed)
            VALUES (\(head.ensembleID), \(pending.evaluation), \(pending.submission), \(head.policyVersion),
                    \(pending.verdict.isHold), \(now), \(waits ? "pending" : "none"),
                    \(waits ? pending.policy.approval.needed : 0))
            RETURNING id
            """)
        guard let decision: Int64 = try rows.first?["id"] else {
            throw StoreError(.internalError, "the decision was not stored")
        }
        let manifest =
            pending.verdict.isAdmission && !waits
            ? try await promote(pending, head, decision: decision, signer: signer, now: now, on: connection) : nil
        try await bookVerdict(pending, head, on: connection)
        try await expectOne(
            """
            UPDATE evaluation
            SET state = \(waits ? "pending" : "decided"), finished_at = \(waits ? nil : now)
            WHERE id = \(pending.evaluation) AND state = 'evaluated' AND fence_token = \(pending.fenceToken)
            """, on: connection)
        try await audit(
            waits ? .awaitApproval : .decide, subject: "decision \(decision)", actor: pending.actor,
            detail: [
                "ensemble": .string(head.ensemble), "evaluation": .integer(pending.evaluation),
                "verdict": .string(pending.verdict.rawValue), "evidence": .string(pending.evidence),
                "manifest": manifest.map { .string($0.hex) } ?? .null,
            ], on: connection)
        if waits { return .awaitsApproval(decision: decision) }
        return manifest == nil ? .decidedWithoutPromotion : .published(sequence: head.sequence + 1)
    }

    /// The revision of the epoch's ledger, which stays as it is until the end of the transaction.
    static func lockLedger(of head: EnsembleHead, on connection: Connection) async throws -> Int {
        let rows = try await connection.query(
            """
            SELECT revision FROM ledger WHERE ensemble_id = \(head.ensembleID) AND epoch = \(head.epoch) FOR UPDATE
            """)
        guard let revision: Int = try rows.first?["revision"] else {
            throw StoreError(
                .corrupt, "epoch \(head.epoch) of '\(head.ensemble)' has no ledger; restore it from a backup")
        }
        return revision
    }

    /// Writes the ledger after the evaluation: with its verdict or not at all. Nothing is retired by what waits.
    private static func bookVerdict(
        _ pending: PendingDecision, _ head: EnsembleHead, on connection: Connection
    ) async throws {
        guard let ledger = pending.ledger, let retiredLoss = pending.retiredLoss, let revision = pending.ledgerRevision
        else {
            throw StoreError(.corrupt, "evaluation \(pending.evaluation) was stored without a ledger")
        }
        try await book(
            ledger, retiredLoss: pending.waitsForApproval ? nil : retiredLoss, revision: revision, head, on: connection)
    }

    /// Writes a ledger over that of a revision.
    ///
    /// - Parameter retiredLoss: nil leaves it as it is.
    static func book(
        _ ledger: Ledger, retiredLoss: Double?, revision: Int, _ head: EnsembleHead, on connection: Connection
    ) async throws {
        try await expectOne(
            """
            UPDATE ledger
            SET revision = revision + 1, tests = \(ledger.tests), alpha_spent = \(ledger.alphaSpent),
                submitter_tests = \(JSON(encoding: ledger.submitterTests)), evaluations = \(ledger.evaluations),
                promotions = \(ledger.promotions), cool_downs = \(JSON(encoding: ledger.coolDowns)),
                tenures = \(JSON(encoding: ledger.tenures)), retired_loss = coalesce(\(retiredLoss), retired_loss)
            WHERE ensemble_id = \(head.ensembleID) AND epoch = \(head.epoch) AND revision = \(revision)
            """, on: connection)
    }

    /// Writes the next manifest and moves the head to it.
    static func promote(
        _ pending: PendingDecision, _ head: EnsembleHead, decision: Int64, signer: (any MetadataSigner)?, now: Date,
        on connection: Connection
    ) async throws -> ContentDigest {
        let manifest = try await makeManifest(pending, head, decision: decision, now: now, on: connection)
        let published = try await NewChampion(
            manifest: manifest, members: pending.after, contentOf: nil, actor: pending.actor, reason: pending.reason,
            rollout: pending.promotionKind == .founding ? nil : pending.policy.rollout
        ).publish(over: head, signer: signer, now: now, on: connection)
        if pending.promotionKind == .founding { try await found(pending, head, on: connection) }
        return published.digest
    }

    private static func makeManifest(
        _ pending: PendingDecision, _ head: EnsembleHead, decision: Int64, now: Date, on connection: Connection
    ) async throws -> Manifest {
        let rows = try await connection.query(
            """
            SELECT m.reference, \(ModelVersionRow.columns) FROM model_version m
            WHERE m.reference = ANY (\(pending.after.texts)) ORDER BY m.reference
            """)
        let members = try rows.map {
            Manifest.Member(id: try $0.model("reference"), metadata: try ModelVersionRow.metadata($0))
        }
        guard members.count == pending.after.count, let combiner = pending.combiner, let golden = pending.golden
        else {
            throw StoreError(
                .corrupt, "evaluation \(pending.evaluation) admits without a combiner or with unregistered members")
        }
        let previous = try await connection.query(
            "SELECT sha256 FROM manifest WHERE ensemble_id = \(head.ensembleID) AND sequence = \(head.sequence)")
        return try Manifest(
            ensemble: head.ensemble, generation: head.generation, sequence: head.sequence + 1,
            previousSHA256: try previous.first?.digest("sha256"), createdAt: Int64(now.timeIntervalSince1970),
            reason: pending.promotionKind, admission: pending.admission, decisionID: decision, classes: head.classes,
            members: members, combiner: combiner, columns: pending.columns, golden: golden)
    }

    /// Fixes the epoch's preset, and queues what was submitted too late to be among the founding's candidates.
    private static func found(_ pending: PendingDecision, _ head: EnsembleHead, on connection: Connection) async throws
    {
        try await expectOne(
            """
            UPDATE epoch SET preset = \(pending.preset.rawValue)
            WHERE ensemble_id = \(head.ensembleID) AND number = \(head.epoch)
            """, on: connection)
        try await queueWithoutEvaluation(head, besides: pending.judged, on: connection)
    }

    static func expectOne(_ statement: SQL, on connection: Connection) async throws {
        let changed = try await connection.execute(statement)
        guard changed == 1 else {
            throw StoreError(
                .conflict, "a publication changed \(changed) rows where exactly 1 was due; nothing was published")
        }
    }
}

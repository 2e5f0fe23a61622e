public import EnsembleModel
public import Foundation
import Logging
import Postgres

extension RegistryStore {
    /// Approves of a decision that waits for it; the last approval needed publishes the new champion.
    ///
    /// Under the head's lock, champion, policy and epoch must be those it was evaluated against. Otherwise nothing is
    /// published: the decision is superseded, the submission is evaluated again, and approvals do not carry over. Of
    /// the ledger, which others have gone on spending from, the members' tenures and the promotions must be as they
    /// were; what the evaluation itself spent was booked with its verdict.
    ///
    /// - Parameters:
    ///   - id: the decision.
    ///   - reviewer: who approves.
    ///   - reason: why; may be empty.
    ///   - now: the time to record.
    /// - Returns: the decision as it stands now: pending, approved or superseded.
    /// - Throws: ``StoreError`` with code `notFound`; `ownSubmission` for whoever submitted the model or asked for the
    ///   evaluation; `conflict` when it does not wait, or the reviewer has approved of it already.
    public func approve(
        decision id: Int64, reviewer: String, reason: String, now: Date
    ) async throws -> DecisionRecord {
        try await review(.approve, id, reviewer) { connection in
            let (head, pending) = try await Self.waiting(id, on: connection)
            try await Self.check(reviewer, mayApprove: id, pending, on: connection)
            let revision = try await Self.lockLedger(of: head, on: connection)
            let ledger = try await Self.ledger(of: head, on: connection)
            if let change = pending.change(against: head) ?? pending.change(of: ledger) {
                return try await Self.supersede(id, pending, because: change, reviewer: reviewer, on: connection)
            }
            let given = try await Self.insert(.approve, id, pending, reviewer, reason, now: now, on: connection)
            var detail: [String: CanonicalValue] = ["reason": .string(reason), "approvals": .integer(Int64(given))]
            if given >= pending.policy.approval.needed {
                try await Self.resolve(id, pending, as: .approved, now: now, on: connection)
                let manifest = try await Self.promote(
                    pending, head, decision: id, signer: signer, now: now, on: connection)
                try await Self.book(
                    pending.approved(ledger), retiredLoss: pending.retiredLoss, revision: revision, head,
                    on: connection)
                detail["manifest"] = .string(manifest.hex)
            }
            try await Self.audit(
                .approve, subject: "decision \(id)", actor: reviewer, detail: .object(detail), on: connection)
        }
    }

    /// Rejects a decision that waits for approval, for good; the champion stays. What the evaluation spent stays spent,
    /// as after a rejection by the gate. Also a submitter may: it withdraws the submission.
    ///
    /// - Parameter reason: why; not blank.
    /// - Throws: ``StoreError`` with code `notFound`; `invalidValue` without a reason; `conflict` when it
    ///   does not wait.
    public func reject(
        decision id: Int64, reviewer: String, reason: String, now: Date
    ) async throws -> DecisionRecord {
        guard reason.contains(where: { !$0.isWhitespace }) else {
            throw StoreError(.invalidValue, "a rejection needs a reason: it is final")
        }
        return try await review(.reject, id, reviewer) { connection in
            let (_, pending) = try await Self.waiting(id, on: connection)
            _ = try await Self.insert(.reject, id, pending, reviewer, reason, now: now, on: connection)
            try await Self.resolve(id, pending, as: .rejected, now: now, on: connection)
            try await Self.audit(
                .reject, subject: "decision \(id)", actor: reviewer, detail: ["reason": .string(reason)],
                on: connection)
        }
    }

    /// Runs the transaction of a review, and reads what came of it. A COMMIT whose answer was lost is looked up.
    private func review(
        _ answer: ReviewRecord.Answer, _ id: Int64, _ reviewer: String,
        _ body: nonisolated(nonsending) (Connection) async throws -> Void
    ) async throws -> DecisionRecord {
        do {
            try await transaction(body)
            return try await decision(id)
        } catch let error as StoreError where error.code == .databaseUnavailable {
            logger.warning("review interrupted", metadata: ["decision": "\(id)", "error": "\(error)"])
            guard let found = try? await afterCommit(id), let approval = found.approval,
                approval.reviews.contains(where: { $0.reviewer == reviewer && $0.answer == answer })
                    || (answer == .approve && approval.state == .superseded)
            else { throw error }
            return found
        }
    }

    /// A decision, once no transaction under way can change it.
    private func afterCommit(_ id: Int64) async throws -> DecisionRecord {
        try await transaction { connection in
            _ = try await connection.query(
                """
                SELECT FROM ensemble_head WHERE ensemble_id = (SELECT ensemble_id FROM decision WHERE id = \(id))
                FOR SHARE
                """)
        }
        return try await decision(id)
    }

    /// Locks the head and the evaluation of a decision that waits for approval.
    private static func waiting(
        _ id: Int64, on connection: Connection
    ) async throws -> (head: EnsembleHead, pending: PendingDecision) {
        let rows = try await connection.query("SELECT evaluation_id FROM decision WHERE id = \(id)")
        guard let evaluation: Int64 = try rows.first?["evaluation_id"],
            let head = try await EnsembleHead.of(evaluation: evaluation, lock: .update, on: connection)
        else { throw StoreError.notFound("decision", id) }
        if let pending = try await PendingDecision.read(evaluation, in: .pending, on: connection) {
            return (head, pending)
        }
        // A statement of its own: before the lock it may have been another state.
        let states = try await connection.query("SELECT approval FROM decision WHERE id = \(id)")
        let state: String = try states.first?["approval"] ?? "none"
        throw StoreError(
            .conflict,
            state == "none"
                ? "decision \(id) took effect at once: nobody's approval was asked for"
                : "decision \(id) is \(state) already; `registry decisions show \(id)` tells by whom")
    }

    private static func check(
        _ reviewer: String, mayApprove id: Int64, _ pending: PendingDecision, on connection: Connection
    ) async throws {
        guard !pending.proposers.contains(reviewer) else {
            throw StoreError(
                .ownSubmission,
                "decision \(id) is on what '\(reviewer)' submitted or asked for; somebody else must approve of it")
        }
        let own = try await connection.query(
            "SELECT FROM review WHERE decision_id = \(id) AND reviewer = \(reviewer) AND answer = 'approve'")
        guard own.isEmpty else {
            throw StoreError(
                .conflict,
                "'\(reviewer)' has approved of decision \(id) already; it waits for another person's approval")
        }
    }

    /// Stores a review and counts those of its kind.
    private static func insert(
        _ answer: ReviewRecord.Answer, _ id: Int64, _ pending: PendingDecision, _ reviewer: String, _ reason: String,
        now: Date, on connection: Connection
    ) async throws -> Int {
        try await connection.execute(
            """
            INSERT INTO review (decision_id, reviewer, answer, reason, proposed_by, reviewed_at)
            VALUES (\(id), \(reviewer), \(answer.rawValue), \(reason), \(pending.proposers), \(now))
            """)
        let rows = try await connection.query(
            "SELECT count(*) AS given FROM review WHERE decision_id = \(id) AND answer = \(answer.rawValue)")
        return try rows.first?["given"] ?? 0
    }

    private static func resolve(
        _ id: Int64, _ pending: PendingDecision, as state: ApprovalRecord.State, now: Date, on connection: Connection
    ) async throws {
        try await expectOne(
            """
            UPDATE decision SET approval = \(state.rawValue), resolved_at = \(now)
            WHERE id = \(id) AND approval = 'pending'
            """, on: connection)
        try await expectOne(
            """
            UPDATE evaluation SET state = 'decided', finished_at = \(now)
            WHERE id = \(pending.evaluation) AND state = 'pending' AND fence_token = \(pending.fenceToken)
            """, on: connection)
    }

    /// Ends a decision that has lost its ground, and queues what it was about once more.
    private static func supersede(
        _ id: Int64, _ pending: PendingDecision, because reason: String, reviewer: String, on connection: Connection
    ) async throws {
        _ = try await supersedeWaiting("id = \(pending.evaluation)", because: reason, on: connection)
        let rows = try await connection.query(
            """
            INSERT INTO evaluation (ensemble_id, kind, submission_id, requested_by)
            SELECT ensemble_id, kind, submission_id, requested_by FROM evaluation WHERE id = \(pending.evaluation)
            RETURNING id
            """)
        guard let evaluation: Int64 = try rows.first?["id"] else {
            throw StoreError(.internalError, "the evaluation was not queued again")
        }
        try await audit(
            .supersede, subject: "decision \(id)", actor: reviewer,
            detail: ["reason": .string(reason), "evaluation": .integer(evaluation)], on: connection)
    }

    /// Ends decisions that wait for approval, without another evaluation in their place.
    ///
    /// - Parameter condition: on columns of `evaluation`.
    /// - Returns: how many.
    static func supersedeWaiting(
        _ condition: SQL, because reason: String, on connection: Connection
    ) async throws -> Int {
        try await connection.execute(
            """
            WITH ended AS (
                UPDATE evaluation SET state = 'decided', finished_at = now()
                WHERE \(condition) AND state = 'pending' RETURNING id
            )
            UPDATE decision d SET approval = 'superseded', superseded_because = \(reason), resolved_at = now()
            FROM ended WHERE d.evaluation_id = ended.id
            """)
    }

    private static func ledger(of head: EnsembleHead, on connection: Connection) async throws -> Ledger {
        let rows = try await connection.query(
            """
            SELECT \(Ledger.columns) FROM ledger l
            WHERE l.ensemble_id = \(head.ensembleID) AND l.epoch = \(head.epoch)
            """)
        guard let row = rows.first else { throw StoreError(.corrupt, "'\(head.ensemble)' has no ledger") }
        return try Ledger(row: row)
    }
}

extension PendingDecision {
    /// What of the ledger the verdict rests on and others have changed; nil when nothing. Tests that others spent
    /// meanwhile are no such thing: they take nothing from the one that this evaluation made.
    fileprivate func change(of now: Ledger) -> String? {
        now.promotions == ledger?.promotions && now.tenures == ledger?.tenures
            ? nil : "members' tenures in the ledger have changed"
    }

    /// A ledger with the change of membership booked.
    fileprivate func approved(_ ledger: Ledger) -> Ledger {
        var ledger = ledger
        switch kind {
        case .founding, .replay: ledger.found(after)
        case .admission: ledger.approve(before: before, after: after, coolDown: policy.coolDownAfterLeaving)
        }
        return ledger
    }
}

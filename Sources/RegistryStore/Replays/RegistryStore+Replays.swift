public import EnsembleModel
import Foundation
import Postgres

extension RegistryStore {
    /// Queues the replay of a decision; one that is under way is returned as it is.
    ///
    /// - Throws: ``StoreError`` with code `notFound`.
    public func requestReplay(decision id: Int64, actor: String) async throws -> EvaluationRecord {
        try await transaction { connection in
            let rows = try await connection.query("SELECT ensemble_id FROM decision WHERE id = \(id)")
            guard let ensemble: Int64 = try rows.first?["ensemble_id"] else {
                throw StoreError.notFound("decision", id)
            }
            let inserted = try await connection.execute(
                """
                INSERT INTO evaluation (ensemble_id, kind, replays, requested_by)
                VALUES (\(ensemble), 'replay', \(id), \(actor))
                ON CONFLICT (replays) WHERE state IN ('queued', 'evaluating') DO NOTHING
                """)
            let open = try await connection.query(
                EvaluationRecord.select("WHERE v.replays = \(id) ORDER BY v.id DESC LIMIT 1"))
            guard let row = open.first else { throw StoreError(.internalError, "the replay was not queued") }
            let record = try EvaluationRecord(row: row)
            if inserted > 0 {
                try await Self.audit(
                    .requestReplay, subject: "decision \(id)", actor: actor,
                    detail: ["evaluation": .integer(record.id)], on: connection)
            }
            return record
        }
    }

    /// What a replay found.
    ///
    /// - Throws: ``StoreError`` with code `notFound`, also while it is not finished.
    public func replay(evaluation id: Int64) async throws -> ReplayRecord {
        let found = try await query(
            """
            SELECT r.decision_id, r.evaluation_id, r.identical, o.evidence_sha256 AS stored, r.evidence_sha256,
                   r.differences, o.program_version AS decided_with, r.program_version, r.seconds, r.replayed_at
            FROM replay r JOIN decision d ON d.id = r.decision_id
            JOIN evaluation_outcome o ON o.evaluation_id = d.evaluation_id
            WHERE r.evaluation_id = \(id)
            """
        ) { row in
            ReplayRecord(
                decision: try row["decision_id"], evaluation: try row["evaluation_id"],
                identical: try row["identical"], stored: try row.digest("stored"),
                recomputed: try row.digest("evidence_sha256"), differences: try row.json("differences"),
                decidedWith: try row["decided_with"], replayedWith: try row["program_version"],
                seconds: try row["seconds"], replayedAt: try row["replayed_at"])
        }
        guard let record = found.first else { throw StoreError.notFound("finished replay", id) }
        return record
    }

    /// Compares a recomputed outcome with the evidence decided on, and stores what differs. Once stored, the same call
    /// again does nothing.
    ///
    /// - Throws: ``StoreError`` with code `leaseLost`.
    public func completeReplay(
        _ claim: Claim, of decision: Int64, outcome: EvaluationOutcome, worker: String, programVersion: String,
        seconds: Double
    ) async throws {
        let stored = try await evidenceToReplay(decision)
        let outcome = outcome.comparable(to: stored.evidence)
        let differences = try Self.differences(outcome, from: stored)
        try await transaction { connection in
            guard try await Self.lockForCompletion(claim, on: connection) else { return }
            try await connection.execute(pipelined: [
                """
                INSERT INTO replay (evaluation_id, decision_id, identical, evidence_sha256, differences, worker,
                                    program_version, seconds)
                VALUES (\(claim.evaluation), \(decision), \(differences.isEmpty), \(outcome.evidence.digest.hex),
                        \(JSON(encoding: differences)), \(worker), \(programVersion), \(seconds))
                """,
                """
                UPDATE evaluation SET state = 'replayed', finished_at = now(), lease_expires_at = NULL, failure = NULL
                WHERE id = \(claim.evaluation)
                """,
            ])
        }
    }

    private static func differences(
        _ outcome: EvaluationOutcome, from stored: ReplayedEvidence
    ) throws -> [ReplayRecord.Difference] {
        var differences = try CanonicalValue(encoding: outcome.evidence)
            .differences(from: CanonicalValue(encoding: stored.evidence), at: "evidence")
        let sealed = try outcome.sealed.map { try CanonicalValue(encoding: $0) } ?? .null
        differences += try sealed.differences(
            from: stored.sealed.map { try CanonicalValue(encoding: $0) } ?? .null, at: "sealed")
        // The record itself may have been changed since: then its digest is not that of its content.
        let content = try stored.evidence.digest
        if content != stored.digest {
            differences.append(
                ReplayRecord.Difference(
                    path: "evidence (digest recorded with the decision)", stored: stored.digest.hex,
                    recomputed: content.hex))
        }
        return differences
    }

    /// What a decision was made on, as it is stored.
    struct ReplayedEvidence {
        let evidence: Evidence
        let sealed: SealedEvidence?
        /// As recorded with the decision.
        let digest: ContentDigest
        let epoch: Int
        let sequence: Int
        let sealKey: String
    }

    /// Reads a decision's evidence.
    func evidenceToReplay(_ decision: Int64) async throws -> ReplayedEvidence {
        try await transaction { try await Self.evidenceToReplay(decision, on: $0) }
    }

    static func evidenceToReplay(_ decision: Int64, on connection: Connection) async throws -> ReplayedEvidence {
        let rows = try await connection.query(
            """
            SELECT o.evidence, o.sealed_evidence, o.evidence_sha256, v.against_epoch, v.against_sequence, ep.seal_key
            FROM decision d
            JOIN evaluation_outcome o ON o.evaluation_id = d.evaluation_id
            JOIN evaluation v ON v.id = d.evaluation_id
            JOIN epoch ep ON ep.ensemble_id = d.ensemble_id AND ep.number = v.against_epoch
            WHERE d.id = \(decision)
            """)
        guard let row = rows.first else { throw StoreError.notFound("decision", decision) }
        let evidence: [UInt8] = try row["evidence"]
        let sealed: [UInt8]? = try row["sealed_evidence"]
        let decoder = JSONDecoder()
        do {
            return ReplayedEvidence(
                evidence: try decoder.decode(Evidence.self, from: Data(evidence)),
                sealed: try sealed.map { try decoder.decode(SealedEvidence.self, from: Data($0)) },
                digest: try row.digest("evidence_sha256"), epoch: try row["against_epoch"],
                sequence: try row["against_sequence"], sealKey: try row["seal_key"])
        } catch let error as DecodingError {
            throw StoreError(
                .conflict,
                "the evidence of decision \(decision) has the layout of another version of the program, which cannot "
                    + "be replayed by this one", cause: error)
        }
    }
}

extension RegistryStore.Claim {
    /// A replay's claim: everything as the evidence says it was, not as it is now.
    static func replay(
        of decision: Int64, _ claimed: Row, ensemble: Int64, on connection: Connection
    ) async throws -> RegistryStore.Claim {
        let stored = try await RegistryStore.evidenceToReplay(decision, on: connection)
        let evidence = stored.evidence
        let names = try await connection.query("SELECT name FROM ensemble WHERE id = \(ensemble)")
        return RegistryStore.Claim(
            evaluation: try claimed["id"], fenceToken: try claimed["fence_token"], attempt: try claimed["attempt"],
            ensemble: try names.first?["name"] ?? "", epoch: stored.epoch, sequence: stored.sequence,
            kind: evidence.kind, challenger: evidence.challenger, champion: evidence.membersBefore,
            candidates: try await RegistryStore.candidates(
                ensemble: ensemble, epoch: stored.epoch, among: evidence.inputs.map(\.model), on: connection),
            policy: evidence.policy, policyVersion: evidence.policyVersion,
            preset: evidence.membersBefore.isEmpty ? nil : evidence.preset, epochSalt: evidence.epochSalt,
            sealKey: stored.sealKey, validation: evidence.validation, submitter: evidence.submitter,
            ledger: evidence.ledgerBefore, retiredLoss: stored.sealed?.retiredLossBefore ?? 0, replays: decision)
    }
}

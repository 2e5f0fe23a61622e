public import EnsembleModel
import Postgres

extension RegistryStore {
    /// Stores an evaluation's outcome for publication. Once stored, the same call again does nothing.
    ///
    /// - Parameters:
    ///   - claim: the claim under which it was computed.
    ///   - outcome: the outcome.
    ///   - worker, programVersion, seconds: recorded beside the evidence.
    /// - Throws: ``StoreError`` with code `leaseLost`; `corrupt` when the outcome contradicts itself or the claim.
    public func complete(
        _ claim: Claim, outcome: EvaluationOutcome, worker: String, programVersion: String, seconds: Double
    ) async throws {
        try Self.check(outcome, of: claim)
        let metrics = try JSON(encoding: outcome.metrics)
        let evidence = try JSON(encoding: outcome.evidence).bytes
        let digest = try outcome.evidence.digest
        let sealed = try outcome.sealed.map { try JSON(encoding: $0).bytes }
        let ledger = try JSON(encoding: outcome.ledger)
        try await transaction { connection in
            guard try await Self.lockForCompletion(claim, on: connection) else { return }
            if let combiner = outcome.combiner {
                try await connection.execute(
                    """
                    INSERT INTO combiner (sha256, trees, bytes, body, golden)
                    VALUES (\(combiner.digest.hex), \(combiner.treeCount), \(combiner.text.count), \(combiner.text),
                            \(try JSON(encoding: combiner.golden)))
                    ON CONFLICT (sha256) DO NOTHING
                    """)
            }
            try await connection.execute(
                """
                INSERT INTO evaluation_outcome (evaluation_id, verdict, reason, preset, members_before, members_after,
                                                retired, judged, metrics, evidence, evidence_sha256, sealed_evidence,
                                                sealed_sha256, ledger, retired_loss, combiner_sha256, worker,
                                                program_version, seconds)
                VALUES (\(claim.evaluation), \(outcome.verdict.rawValue), \(outcome.reason), \(outcome.preset.rawValue),
                        \(outcome.membersBefore.texts), \(outcome.membersAfter.texts), \(outcome.retired.texts),
                        \(outcome.evidence.inputs.map(\.model).texts), \(metrics), \(evidence), \(digest.hex),
                        \(sealed), \(outcome.evidence.commitment?.hex), \(ledger), \(outcome.retiredLoss),
                        \(outcome.combiner?.digest.hex), \(worker), \(programVersion), \(seconds))
                """)
            try await Self.insert(outcome.utilities, evaluation: claim.evaluation, on: connection)
            try await connection.execute(
                """
                UPDATE evaluation SET state = 'evaluated', lease_expires_at = NULL, failure = NULL
                WHERE id = \(claim.evaluation)
                """
            )
        }
    }

    /// Locks the claimed evaluation; false when its outcome is stored already.
    static func lockForCompletion(_ claim: Claim, on connection: Connection) async throws -> Bool {
        let rows = try await connection.query(
            """
            SELECT state FROM evaluation WHERE id = \(claim.evaluation) AND fence_token = \(claim.fenceToken) FOR UPDATE
            """)
        switch try rows.first?.value("state", as: WorkState.self) {
        case .evaluating: return true
        case .evaluated, .pending, .decided, .replayed: return false
        default: throw StoreError.leaseLost(claim.evaluation)
        }
    }

    private static func insert(_ scores: [UtilityScore], evaluation: Int64, on connection: Connection) async throws {
        let stored = try await connection.execute(
            """
            INSERT INTO utility_score (evaluation_id, model_version_id, kind, value, standard_error)
            SELECT \(evaluation), m.id, u.kind, u.value, nullif(u.standard_error, 'NaN')
            FROM unnest(\(scores.map(\.model).texts), \(scores.map(\.kind.rawValue)), \(scores.map(\.value)),
                        \(scores.map { $0.standardError ?? .nan })) AS u (model, kind, value, standard_error)
            JOIN model_version m ON m.reference = u.model
            """)
        guard stored == scores.count else {
            throw StoreError(.corrupt, "an outcome values models that are not registered")
        }
    }

    /// What a worker stores must be about what it was given: a promotion is published from it without another look.
    private static func check(_ outcome: EvaluationOutcome, of claim: Claim) throws {
        let candidates = Set(claim.candidates.map(\.model))
        let before = Set(outcome.membersBefore)
        let after = Set(outcome.membersAfter)
        let evidence = outcome.evidence
        let commitment = try outcome.sealed?.digest
        let rules: [(String, Bool)] = [
            ("members before", outcome.membersBefore == claim.champion && evidence.membersBefore == claim.champion),
            ("members after", after.isSubset(of: candidates) && outcome.membersAfter == after.sorted()),
            ("evidence's members after", evidence.membersAfter == outcome.membersAfter),
            ("retired members", Set(outcome.retired) == before.subtracting(after)),
            ("number of members", !outcome.verdict.isAdmission || (1...64).contains(after.count)),
            ("challenger", evidence.challenger == claim.challenger && evidence.kind == claim.kind),
            (
                "admission of the challenger",
                claim.challenger.map { after.contains($0) == outcome.verdict.isAdmission } ?? true
            ),
            ("unchanged champion", outcome.verdict.isAdmission || outcome.membersAfter == outcome.membersBefore),
            ("verdict", evidence.verdict == outcome.verdict && evidence.reason == outcome.reason),
            ("retirement", claim.kind == .founding || (outcome.verdict == .admitRetire) == !outcome.retired.isEmpty),
            ("preset", outcome.preset != .auto && outcome.preset == claim.expectedPreset ?? outcome.preset),
            ("commitment", commitment == evidence.commitment),
            ("ledger", evidence.ledgerBefore == claim.ledger && evidence.ledgerAfter == outcome.ledger),
            ("ledger of a hold", !outcome.verdict.isHold || outcome.ledger == claim.ledger),
            ("retired loss", outcome.retiredLoss >= claim.retiredLoss),
            ("submitter", evidence.submitter == claim.submitter),
            ("validation set", evidence.validation == claim.validation && evidence.epochSalt == claim.epochSalt),
            ("policy", evidence.policy == claim.policy && evidence.policyVersion == claim.policyVersion),
            ("inputs", Set(evidence.inputs.map(\.model)) == candidates),
            (
                "predictions",
                evidence.inputs.allSatisfy { input in
                    claim.candidates.contains { $0.model == input.model && $0.predictions == input.predictions }
                }
            ),
            (
                "combiner",
                (outcome.combiner != nil) == outcome.verdict.isAdmission
                    && evidence.combiner == outcome.combiner?.digest
            ),
        ]
        if let broken = rules.first(where: { !$0.1 }) {
            throw StoreError(
                .corrupt, "the outcome of evaluation \(claim.evaluation) contradicts its claim or itself: \(broken.0)")
        }
    }
}

extension RegistryStore.Claim {
    /// The preset of the policy, or the one that the epoch's founding fixed; nil when the evaluation chooses it.
    fileprivate var expectedPreset: Policy.Preset? { policy.preset == .auto ? preset : policy.preset }
}

extension [ModelVersionID] {
    /// Each as `name@version`.
    var texts: [String] { map(\.description) }
}

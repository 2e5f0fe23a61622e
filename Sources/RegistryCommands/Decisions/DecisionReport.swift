import EnsembleModel
import RegistryClient

/// A decision with what it rests on.
struct DecisionReport: Sendable {
    var decision: DecisionRecord
    var evidence: Evidence
    /// What sealed rows said, where it was asked for and there is any.
    var sealed: SealedEvidence?
}

extension RegistryClient {
    /// A decision with its evidence, both parts checked against the digests that bind them.
    ///
    /// - Parameter sealed: whether to ask for the sealed part too, which needs the scope `audit`.
    func report(decision id: Int64, sealed: Bool = false) async throws -> DecisionReport {
        let decision = try await decision(id)
        let evidence = try await evidence(decision: id)
        guard try evidence.digest == decision.evidence else { throw Self.mismatch("evidence", id) }
        var report = DecisionReport(decision: decision, evidence: evidence)
        guard sealed, let commitment = evidence.commitment else { return report }
        let part = try await sealedEvidence(decision: id)
        guard try part.digest == commitment else { throw Self.mismatch("sealed evidence", id) }
        report.sealed = part
        return report
    }

    /// The decision that an evaluation led to, with its open evidence; nil when there is none yet.
    func report(of evaluation: EvaluationRecord?) async throws -> DecisionReport? {
        guard let id = evaluation?.decision else { return nil }
        return try await report(decision: id)
    }

    private static func mismatch(_ part: String, _ decision: Int64) -> RegistryClientError {
        RegistryClientError(
            .digestMismatch,
            "the \(part) of decision \(decision) does not have the digest that binds it: it was changed, or the "
                + "registry is of another version")
    }
}

import EnsembleModel
import Foundation
import Postgres

extension RegistryStore {
    /// A decision's open evidence: the JSON of `Evidence` as it was stored, checked against its digest.
    ///
    /// - Throws: ``StoreError`` with code `notFound`; `corrupt` when it does not match its digest or the commitment.
    public func evidence(decision id: Int64) async throws -> [UInt8] {
        let found = try await query(StoredEvidence.select(id)) { try StoredEvidence(decision: id, row: $0) }
        guard let stored = found.first else { throw StoreError.notFound("decision", id) }
        _ = try stored.checkedEvidence()
        return stored.evidence
    }

    /// What sealed rows said in a decision: the JSON of `SealedEvidence` as it was stored, checked against the open
    /// evidence's commitment. Whoever reads it is on record in the audit chain.
    ///
    /// - Throws: ``StoreError`` with code `notFound` when there is no such decision or it sealed nothing; `corrupt`
    ///   when anything does not match its digest.
    public func sealedEvidence(decision id: Int64, reader: String) async throws -> [UInt8] {
        try await transaction { connection in
            guard let row = try await connection.query(StoredEvidence.select(id)).first else {
                throw StoreError.notFound("decision", id)
            }
            let stored = try StoredEvidence(decision: id, row: row)
            let evidence = try stored.checkedEvidence()
            guard let sealed = stored.sealed, let commitment = evidence.commitment else {
                throw StoreError(.notFound, "nothing was sealed in decision \(id): \(Self.whyUnsealed(evidence))")
            }
            try stored.check(sealed: sealed, commitment: commitment)
            try await Self.audit(
                .readSealedEvidence, subject: "decision \(id)", actor: reader,
                detail: ["commitment": .string(commitment.hex)], on: connection)
            return sealed
        }
    }

    private static func whyUnsealed(_ evidence: Evidence) -> String {
        evidence.figures == .all
            ? "a founding and the rule shapley-top-k have no gate, and show figures of all rows"
            : "the verdict \(evidence.verdict.rawValue) fell before the gate, from what everybody may read"
    }
}

/// Both parts of a decision's evidence, as stored.
private struct StoredEvidence {
    let decision: Int64
    let evidence: [UInt8]
    let digest: ContentDigest
    let sealed: [UInt8]?
    let sealedDigest: ContentDigest?

    static func select(_ decision: Int64) -> SQL {
        """
        SELECT o.evidence, o.evidence_sha256, o.sealed_evidence, o.sealed_sha256
        FROM decision d JOIN evaluation_outcome o USING (evaluation_id) WHERE d.id = \(decision)
        """
    }

    init(decision: Int64, row: Row) throws {
        self.decision = decision
        evidence = try row["evidence"]
        digest = try row.digest("evidence_sha256")
        sealed = try row["sealed_evidence"]
        sealedDigest = try row.optionalDigest("sealed_sha256")
    }

    /// The open part, when it has the digest that was stored with it and the commitment to the sealed part.
    func checkedEvidence() throws -> Evidence {
        guard let value = try? JSONDecoder().decode(Evidence.self, from: Data(evidence)),
            try value.digest == digest, value.commitment == sealedDigest
        else { throw corrupt("evidence") }
        return value
    }

    func check(sealed: [UInt8], commitment: ContentDigest) throws {
        guard let value = try? JSONDecoder().decode(SealedEvidence.self, from: Data(sealed)),
            try value.digest == commitment
        else { throw corrupt("sealed evidence") }
    }

    private func corrupt(_ part: String) -> StoreError {
        StoreError(
            .corrupt,
            "the \(part) of decision \(decision) does not match its digest, or is of a layout that this program does "
                + "not know; restore it from a backup, or use the program that wrote it")
    }
}

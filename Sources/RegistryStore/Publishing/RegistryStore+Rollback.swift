public import EnsembleModel
public import Foundation
import Postgres

extension RegistryStore {
    /// Serves an earlier manifest's content again, as a new manifest: numbers never go back.
    ///
    /// Evaluations under way were made against the champion that leaves, so they are made again.
    ///
    /// - Parameters:
    ///   - name: the ensemble.
    ///   - sequence: the manifest to go back to.
    ///   - reason: why, for everybody who reads the promotions.
    ///   - actor: who rolls back.
    /// - Returns: the promotion.
    /// - Throws: ``StoreError`` with code `ensembleNotFound`; `notFound` without such a manifest; `conflict` when its
    ///   content is what is served now; `signingKeysMissing`, `signingKeysOutdated`; what the signer throws.
    public func rollBack(
        ensemble name: String, to sequence: Int, reason: String, actor: String, now: Date
    ) async throws -> PromotionRecord {
        let published = try await transaction { connection in
            let head = try await EnsembleHead.read(name, lock: .update, on: connection)
            let newest = try await Self.published(head.sequence, head, on: connection)
            guard sequence < head.sequence, let newest,
                let target = try await Self.published(sequence, head, on: connection)
            else {
                throw StoreError(
                    .notFound,
                    "'\(name)' has no manifest \(sequence) before the newest, \(head.sequence): see "
                        + "`registry promotions \(name)`")
            }
            guard target.manifest.contentID != newest.manifest.contentID else {
                throw StoreError(
                    .conflict, "manifest \(head.sequence) of '\(name)' serves the content of manifest \(sequence)")
            }
            let champion = try target.again(
                as: .rollback, generation: head.generation, sequence: head.sequence + 1, after: newest.digest,
                actor: actor, reason: reason, now: now)
            let (digest, before) = try await champion.publish(over: head, signer: signer, now: now, on: connection)
            try await Self.bookRollback(from: before, to: champion.members, head, on: connection)
            try await Self.audit(
                .rollBack, subject: "ensemble \(name)", actor: actor,
                detail: [
                    "to": .integer(Int64(sequence)), "sequence": .integer(Int64(champion.manifest.sequence)),
                    "manifest": .string(digest.hex), "reason": .string(reason),
                ], on: connection)
            return champion.manifest.sequence
        }
        return try await promotion(ensemble: name, sequence: published)
    }

    /// Who comes back begins a new tenure. Nobody cools down: a rollback says nothing about a model by itself.
    private static func bookRollback(
        from before: [ModelVersionID], to after: [ModelVersionID], _ head: EnsembleHead, on connection: Connection
    ) async throws {
        let rows = try await connection.query(
            """
            SELECT \(Ledger.columns) FROM ledger l
            WHERE l.ensemble_id = \(head.ensembleID) AND l.epoch = \(head.epoch) FOR UPDATE
            """)
        guard var ledger = try rows.first.map(Ledger.init(row:)) else {
            throw StoreError(.corrupt, "epoch \(head.epoch) of '\(head.ensemble)' has no ledger")
        }
        ledger.rollBack(from: before, to: after)
        try await expectOne(
            """
            UPDATE ledger SET revision = revision + 1, tenures = \(JSON(encoding: ledger.tenures))
            WHERE ensemble_id = \(head.ensembleID) AND epoch = \(head.epoch)
            """, on: connection)
    }

    /// A manifest as it was published, with what is needed to publish its content again.
    struct EarlierManifest {
        let manifest: Manifest
        let digest: ContentDigest
        let members: [ModelVersionID]

        /// The same content under another number.
        func again(
            as kind: PromotionKind, generation: Int, sequence: Int, after previous: ContentDigest, actor: String,
            reason: String, now: Date
        ) throws -> NewChampion {
            NewChampion(
                manifest: try Manifest(
                    ensemble: manifest.ensemble, generation: generation, sequence: sequence, previousSHA256: previous,
                    createdAt: Int64(now.timeIntervalSince1970), reason: kind, admission: manifest.admission,
                    decisionID: manifest.decisionID, classes: manifest.classes, members: manifest.members,
                    combiner: manifest.combiner, columns: manifest.columns, golden: manifest.golden),
                members: members, contentOf: manifest.sequence, actor: actor, reason: reason)
        }
    }

    static func published(
        _ sequence: Int, _ head: EnsembleHead, on connection: Connection
    ) async throws -> EarlierManifest? {
        try await connection.query(
            """
            SELECT m.body, m.sha256, p.members FROM manifest m JOIN promotion p USING (ensemble_id, sequence)
            WHERE m.ensemble_id = \(head.ensembleID) AND m.sequence = \(sequence)
            """
        ).first.map { row in
            let body: [UInt8] = try row["body"]
            do {
                return EarlierManifest(
                    manifest: try JSONDecoder().decode(Manifest.self, from: Data(body)),
                    digest: try row.digest("sha256"), members: try row.models("members"))
            } catch let error as DecodingError {
                throw StoreError(.corrupt, "manifest \(sequence) of '\(head.ensemble)' cannot be read", cause: error)
            }
        }
    }
}

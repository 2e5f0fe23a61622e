import EnsembleModel
import Foundation
import Postgres

/// A manifest that takes the head's place, and why.
struct NewChampion: Sendable {
    let manifest: Manifest
    /// All members, in model order.
    let members: [ModelVersionID]
    /// The sequence of the manifest whose content it serves again; nil for one that a decision brings.
    let contentOf: Int?
    let actor: String
    let reason: String
    /// How it reaches the nodes; nil for all of them at once.
    var rollout: Policy.StagedRollout?

    /// Writes manifest and promotion, signs, and moves the head: under the head's lock, with all else that the
    /// transaction writes or not at all.
    ///
    /// - Returns: the manifest's digest, and who was a member before.
    /// - Throws: ``StoreError`` with code `signingKeysMissing` or `signingKeysOutdated`; what the signer throws.
    func publish(
        over head: EnsembleHead, signer: (any MetadataSigner)?, skipping used: MetadataVersions? = nil, now: Date,
        on connection: Connection
    ) async throws -> (digest: ContentDigest, before: [ModelVersionID]) {
        let bytes = try manifest.canonicalBytes()
        let digest = ContentDigest.of(bytes)
        // A founding replaces whatever there was, which is more than it was judged against.
        let before = try await RegistryStore.champion(of: head, on: connection).members
        let joined = members.filter { !before.contains($0) }
        let retired = before.filter { !members.contains($0) }
        let decision = contentOf == nil ? manifest.decisionID : nil
        try await connection.execute(pipelined: [
            """
            INSERT INTO manifest (ensemble_id, sequence, generation, sha256, previous_sha256, content_id, body,
                                  combiner_sha256, decision_id, content_of, created_at)
            VALUES (\(head.ensembleID), \(manifest.sequence), \(manifest.generation), \(digest.hex),
                    \(manifest.previousSHA256?.hex), \(manifest.contentID.hex), \(bytes),
                    \(manifest.combiner.sha256.hex), \(decision), \(contentOf), \(now))
            """,
            """
            INSERT INTO promotion (ensemble_id, sequence, decision_id, kind, admission, joined, retired, members, actor,
                                   reason, created_at)
            VALUES (\(head.ensembleID), \(manifest.sequence), \(decision), \(manifest.reason.rawValue),
                    \(manifest.admission.rawValue), \(joined.texts), \(retired.texts), \(members.texts), \(actor),
                    \(reason), \(now))
            """,
        ])
        try await RegistryStore.expectOne(
            """
            UPDATE ensemble_head SET generation = \(manifest.generation), sequence = \(manifest.sequence)
            WHERE ensemble_id = \(head.ensembleID) AND generation = \(head.generation) AND sequence = \(head.sequence)
            """, on: connection)
        try await ManifestRollout.supersede(head, on: connection)
        if let rollout { try await stage(rollout, head, now: now, on: connection) }
        let champion = ChampionNumber(
            ensemble: head.ensemble, generation: manifest.generation, sequence: manifest.sequence)
        var signing = try await MetadataSigning(champion, head, signer: signer, on: connection)
        if let used { signing.skip(to: used) }
        try await signing.sign(.targets, now: now, on: connection)
        _ = try await connection.query("SELECT pg_notify(\(RegistryStore.promotionChannel), '')")
        return (digest, before)
    }

    /// Begins with the first nodes.
    private func stage(
        _ settings: Policy.StagedRollout, _ head: EnsembleHead, now: Date, on connection: Connection
    ) async throws {
        let nodes = try await ManifestRollout.nodes(head.ensembleID, manifest.sequence, on: connection)
        try await ManifestRollout(sequence: manifest.sequence, settings: settings, nodes: nodes, now: now)
            .begin(head.ensembleID, on: connection)
    }
}

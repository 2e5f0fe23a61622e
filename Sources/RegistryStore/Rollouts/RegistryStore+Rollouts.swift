public import EnsembleModel
public import Foundation
import Postgres

extension RegistryStore {
    /// How far an ensemble's newest manifest is rolled out.
    ///
    /// - Throws: ``StoreError`` with code `ensembleNotFound`; `notFound` when it went to all nodes at once.
    public func rollout(ensemble: String, now: Date) async throws -> RolloutRecord {
        try await transaction { connection in
            let head = try await EnsembleHead.read(ensemble, lock: .none, on: connection)
            let stored = try await Self.stagedRollout(head, on: connection)
            let nodes = try await ManifestRollout.nodes(head.ensembleID, head.sequence, on: connection)
            return RolloutRecord(ensemble: ensemble, stored.rollout, nodes: nodes, now: now)
        }
    }

    /// The ensembles whose newest manifest is being rolled out.
    public func ensemblesRollingOut() async throws -> [String] {
        try await query(
            """
            SELECT e.name FROM rollout r JOIN ensemble e ON e.id = r.ensemble_id WHERE r.state = 'baking'
            ORDER BY e.name
            """
        ) { try $0.decode(String.self) }
    }

    /// Rolls an ensemble's newest manifest out further, or halts, as its nodes' reports say.
    ///
    /// The head is locked only when something changes.
    ///
    /// - Parameter isHearing: see ``EnsembleModel/ManifestRollout/next(_:now:isHearing:)``.
    /// - Returns: what was changed; nil for nothing, also when another daemon was faster.
    /// - Throws: ``StoreError`` with code `ensembleNotFound`, `signingKeysMissing` or `signingKeysOutdated`; what the
    ///   signer throws.
    public func advanceRollout(
        ensemble: String, isHearing: Bool = true, now: Date
    ) async throws -> RolloutRecord? {
        let change = try await transaction { connection in
            let head = try await EnsembleHead.read(ensemble, lock: .none, on: connection)
            guard let stored = try await StoredRollout.read(head, on: connection) else { return nil as RolloutChange? }
            let nodes = try await ManifestRollout.nodes(head.ensembleID, head.sequence, on: connection)
            return stored.rollout.next(nodes, now: now, isHearing: isHearing).map {
                RolloutChange(stored: stored, next: $0, nodes: nodes)
            }
        }
        guard let change else { return nil }
        return try await transaction { connection in
            let head = try await EnsembleHead.read(ensemble, lock: .update, on: connection)
            guard head.sequence == change.next.sequence,
                try await write(change, head, actor: Self.registryActor, now: now, on: connection)
            else { return nil }
            return RolloutRecord(ensemble: ensemble, change.next, nodes: change.nodes, now: now)
        }
    }

    /// Who acts when nobody does.
    static let registryActor = "registry"

    /// What a person does about a rollout.
    ///
    /// - Throws: ``StoreError`` with code `ensembleNotFound`; `notFound` when the newest manifest went to all nodes at
    ///   once; `conflict` when its state does not allow it; `signingKeysMissing`, `signingKeysOutdated`; what the
    ///   signer throws.
    public func steerRollout(
        ensemble: String, _ steering: RolloutSteering, reason: String, actor: String, now: Date
    ) async throws -> RolloutRecord {
        try await transaction { connection in
            let head = try await EnsembleHead.read(ensemble, lock: .update, on: connection)
            let stored = try await Self.stagedRollout(head, on: connection)
            let nodes = try await ManifestRollout.nodes(head.ensembleID, head.sequence, on: connection)
            var next = stored.rollout
            switch (steering, next.state) {
            case (.halt, .baking): next.halt("\(actor): \(reason)")
            case (.resume, .halted): next.resume(nodes, now: now)
            case (.finish, .baking), (.finish, .halted): next.finish(now: now)
            case (_, let state):
                throw StoreError(
                    .conflict,
                    "the rollout of manifest \(head.sequence) of '\(ensemble)' is \(state.rawValue): "
                        + "`registry rollout show \(ensemble)` tells more")
            }
            let change = RolloutChange(stored: stored, next: next, nodes: nodes)
            guard try await write(change, head, actor: actor, because: reason, now: now, on: connection) else {
                throw StoreError(.internalError, "a rollout changed under the head's lock")
            }
            return RolloutRecord(ensemble: ensemble, next, nodes: nodes, now: now)
        }
    }

    private static func stagedRollout(_ head: EnsembleHead, on connection: Connection) async throws -> StoredRollout {
        guard let stored = try await StoredRollout.read(head, on: connection) else {
            throw StoreError(
                .notFound,
                head.sequence == 0
                    ? "'\(head.ensemble)' has published nothing yet"
                    : "manifest \(head.sequence) of '\(head.ensemble)' went to all nodes at once: see "
                        + "`registry nodes \(head.ensemble)`")
        }
        return stored
    }

    /// Writes a change down under the head's lock, and signs what nodes learn of it.
    ///
    /// - Returns: false when somebody else has changed it since it was read.
    private func write(
        _ change: RolloutChange, _ head: EnsembleHead, actor: String, because reason: String? = nil, now: Date,
        on connection: Connection
    ) async throws -> Bool {
        let (before, next) = (change.stored.rollout, change.next)
        guard try await change.stored.replace(with: next, head, on: connection) else { return false }
        guard (before.state, before.share) != (next.state, next.share) else { return true }
        try await Self.audit(
            .rollOut, subject: "ensemble \(head.ensemble)", actor: actor,
            detail: [
                "sequence": .integer(Int64(next.sequence)), "state": .string(next.state.rawValue),
                "share": .integer(Int64(next.share)), "reason": .string(reason ?? next.reason),
            ], on: connection)
        try await MetadataSigning(head.champion, head, signer: signer, on: connection)
            .sign(.timestamp, now: now, on: connection)
        _ = try await connection.query("SELECT pg_notify(\(Self.promotionChannel), '')")
        return true
    }
}

/// A rollout as it was read, as it is to be, and the reports that say so.
private struct RolloutChange: Sendable {
    let stored: StoredRollout
    let next: ManifestRollout
    let nodes: [ManifestRollout.Node]
}

import EnsembleModel
import Foundation
import Hummingbird
import NIOFoundationCompat
import RegistryAPI
import RegistryStore

/// What on-call engineers do at night: back to an earlier manifest, and on after a restored backup.
struct RollbackRoutes {
    let store: RegistryStore
    let limits: DaemonLimits

    func add(to router: RouterGroup<RegistryRequestContext>) {
        router.post("ensembles/:name/rollback", use: rollBack)
        router.post("recovery", use: recover)
    }

    @Sendable private func rollBack(_ request: Request, _ context: RegistryRequestContext) async throws -> Response {
        let identity = try context.require(.admin)
        let wanted = try await request.decode(RollbackRequest.self, limits: limits)
        let promotion = try await store.rollBack(
            ensemble: context.parameter("name"), to: wanted.to, reason: try limits.checkedReason(wanted.reason),
            actor: identity.name, now: Date())
        return try .json(promotion, status: .created)
    }

    @Sendable private func recover(_ request: Request, _ context: RegistryRequestContext) async throws -> Response {
        let identity = try context.require(.admin)
        let wanted = try await request.decode(RecoveryRequest.self, limits: limits)
        let recoveries = try await store.recover(
            reason: try limits.checkedReason(wanted.reason), actor: identity.name, now: Date())
        return try .json(recoveries.map(RecoveryRecord.init), status: .created)
    }
}

extension DaemonLimits {
    /// A reason that may not be left out.
    ///
    /// - Throws: ``Problem`` `badRequest`.
    func checkedReason(_ reason: String) throws(Problem) -> String {
        let count = reason.unicodeScalars.count
        guard (1...reasonLength).contains(count) else {
            throw Problem(.badRequest, detail: "a reason has 1 to \(reasonLength) characters; this has \(count)")
        }
        return reason
    }
}

extension RecoveryRecord {
    fileprivate init(_ recovery: RegistryStore.Recovery) {
        self.init(
            ensemble: recovery.champion.ensemble, generation: recovery.champion.generation,
            sequence: recovery.champion.sequence, restoredSequence: recovery.restored.sequence,
            versions: .init(
                targets: recovery.versions.targets, snapshot: recovery.versions.snapshot,
                timestamp: recovery.versions.timestamp))
    }
}

import EnsembleModel
import Foundation
import HTTPTypes
import Hummingbird
import Mustache
import NIOCore
import RegistryAPI
import RegistryStore

/// Pages for people: the ensembles, and of each its nodes, promotions and decisions. They show and change nothing.
struct DashboardRoutes {
    let store: RegistryStore
    let limits: DaemonLimits

    func add(to router: RouterGroup<RegistryRequestContext>) {
        router.get("", use: overview)
        router.get("ensembles/:name", use: ensemble)
    }

    @Sendable private func overview(_ request: Request, _ context: RegistryRequestContext) async throws -> Response {
        try context.require(.read)
        let ensembles = try await store.ensembles(limit: limits.dashboardRows + 1)
        let counts = try await store.nodeCounts(silentBefore: Date() - ManifestRollout.silence)
        let page = DashboardPage.Overview(
            ensembles.prefix(limits.dashboardRows).map { .init($0, counts[$0.name] ?? NodeCounts()) },
            more: ensembles.count > limits.dashboardRows ? "There are more: registry ensembles list" : nil)
        return .page(
            "Ensembles", DashboardTemplates.overview.render(page), identity: context.identity,
            refresh: limits.dashboardRefreshSeconds)
    }

    @Sendable private func ensemble(_ request: Request, _ context: RegistryRequestContext) async throws -> Response {
        try context.require(.read)
        let ensemble = try await store.ensemble(context.parameter("name"))
        let now = Date()
        let nodes = try await store.nodes(ensemble: ensemble.name, limit: limits.dashboardNodes)
        // Those that need somebody first.
        let shown = nodes.sorted { ($0.urgency(now), $0.node) < ($1.urgency(now), $1.node) }
            .prefix(limits.dashboardRows)
        let page = DashboardPage.Ensemble(
            ensemble, rollout: try await rollout(of: ensemble, now: now), nodes: shown.map { .init($0, now: now) },
            more: nodes.count > shown.count ? "There are more: registry nodes \(ensemble.name)" : nil,
            promotions: try await store.promotions(ensemble: ensemble.name, limit: limits.dashboardRecent),
            decisions: try await store.decisions(ensemble: ensemble.name, limit: limits.dashboardRecent))
        return .page(
            ensemble.name, DashboardTemplates.ensemble.render(page), identity: context.identity,
            refresh: limits.dashboardRefreshSeconds)
    }

    /// Nil where the newest manifest went to all nodes at once.
    private func rollout(of ensemble: EnsembleRecord, now: Date) async throws -> RolloutRecord? {
        do {
            return try await store.rollout(ensemble: ensemble.name, now: now)
        } catch let error as StoreError where error.code == .notFound {
            return nil
        }
    }
}

extension NodeRecord {
    /// Lower is shown first.
    fileprivate func urgency(_ now: Date) -> Int {
        let isSilent = now.timeIntervalSince(reportedAt) > ManifestRollout.silence
        return switch standing {
        case .refused, .failing: 0
        case _ where isSilent || report.state == .stale: 1
        case .behind: 2
        case .waiting: 3
        case .pinned: 4
        case .current: 5
        }
    }
}

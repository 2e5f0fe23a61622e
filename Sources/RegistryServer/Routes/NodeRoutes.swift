import EnsembleModel
import Hummingbird
import NIOFoundationCompat
import RegistryAPI
import RegistryStore

/// What serving nodes say of themselves, and who they are.
struct NodeRoutes {
    let store: RegistryStore
    let reports: NodeReports
    let limits: DaemonLimits

    func add(to router: RouterGroup<RegistryRequestContext>) {
        router.post("nodes/:node/status", use: status)
        router.get("ensembles/:name/nodes", use: list)
    }

    @Sendable private func status(_ request: Request, _ context: RegistryRequestContext) async throws -> Response {
        try context.require(.node)
        let node = try context.parameter("node")
        try Name.check(node, as: "node")
        let status = try await request.decode(NodeStatusRequest.self, limits: limits)
        guard status.ensembles.count <= limits.reportedEnsembles else {
            throw Problem(
                .badRequest, detail: "a report is of \(limits.reportedEnsembles) ensembles at most; send several")
        }
        for report in status.ensembles { try check(report) }
        try await reports.keep(status.ensembles, of: node)
        return Response(status: .noContent)
    }

    private func check(_ report: NodeReport) throws {
        guard (report.running == nil) == (report.state == .empty) else {
            throw Problem(.badRequest, detail: "state '\(report.state.rawValue)' contradicts what is said to run")
        }
        guard report.figures.count <= limits.reportedFigures, report.program.count <= limits.reasonLength,
            report.refusal.map({ $0.code.count <= limits.reasonLength }) ?? true
        else { throw Problem(.badRequest, detail: "at most \(limits.reportedFigures) figures, and short texts") }
    }

    @Sendable private func list(_ request: Request, _ context: RegistryRequestContext) async throws -> Response {
        try context.require(.read)
        let page = try PageRequest(request, limits: limits)
        let nodes = try await store.nodes(
            ensemble: context.parameter("name"), after: page.after, limit: page.limit + 1)
        return try .json(page.cut(nodes, key: \.node))
    }
}

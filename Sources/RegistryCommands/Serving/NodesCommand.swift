import ArgumentParser
import EnsembleModel
import Foundation
import RegistryAPI
import RegistryClient

/// Lists the serving nodes of an ensemble.
struct NodesCommand: RegistryRequest {
    static let configuration = CommandConfiguration(
        commandName: "nodes", abstract: "See the serving nodes of an ensemble: what each runs, wants and has refused.",
        discussion: """
            Standing: current runs the newest manifest; failing does, and most requests fail; behind runs an older \
            one or none yet; waiting runs an older one because the rollout has not reached it; refused has refused \
            the newest; pinned was told to stay. Age is the time since the node reported, which it does once a \
            minute and at every change. State stale means that the node serves on without fresh metadata.
            """)

    @Argument(help: "Ensemble.") var name: String
    @OptionGroup var page: PageOptions
    @OptionGroup(title: "Connection") var connection: ConnectionOptions

    func run(_ client: RegistryClient, _ output: Output) async throws {
        let page = try await page.collect { try await client.nodes(ensemble: name, after: $0, limit: $1) }
        try output.emit(page) { page in
            page.items.isEmpty
                ? "No node has reported that it follows \(name): start one with `registry-node run`."
                : Self.table(page.items, now: Date())
        }
    }

    static func table(_ nodes: [NodeRecord], now: Date) -> String {
        TextTable(
            columns: [
                .text("node"), .number("running"), .number("wanted"), .text("standing"), .text("state"),
                .text("version"), .number("age"), .text("last error"),
            ],
            rows: nodes.map { record in
                let running = record.report.running
                return [
                    record.node, running.map { "\($0.generation).\($0.sequence)" } ?? "-", "\(record.wanted)",
                    record.standing.rawValue, record.report.state.rawValue, record.report.program,
                    Format.duration(max(0, now.timeIntervalSince(record.reportedAt))),
                    record.report.refusal.map { "\($0.stage.rawValue): \($0.code): \($0.message)" } ?? "",
                ]
            }
        ).text
    }
}

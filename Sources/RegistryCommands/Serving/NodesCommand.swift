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
            Standing: current runs the newest manifest; behind runs an older one or none yet; refused has refused the \
            newest; pinned was told to stay. State stale means that the node serves on without fresh metadata.
            """)

    @Argument(help: "Ensemble.") var name: String
    @OptionGroup var page: PageOptions
    @OptionGroup(title: "Connection") var connection: ConnectionOptions

    func run(_ client: RegistryClient, _ output: Output) async throws {
        let page = try await page.collect { try await client.nodes(ensemble: name, after: $0, limit: $1) }
        try output.emit(page) { page in
            guard !page.items.isEmpty else {
                return "No node has reported that it follows \(name): start one with `registry-node run`."
            }
            return TextTable(
                columns: [
                    .text("node"), .number("running"), .number("wanted"), .text("standing"), .text("state"),
                    .text("version"), .text("reported (UTC)"), .text("last error"),
                ],
                rows: page.items.map { record in
                    let running = record.report.running
                    return [
                        record.node, running.map { "\($0.generation).\($0.sequence)" } ?? "-", "\(record.wanted)",
                        record.standing.rawValue, record.report.state.rawValue, record.report.program,
                        Format.date(record.reportedAt),
                        record.report.refusal.map { "\($0.stage.rawValue): \($0.code): \($0.message)" } ?? "",
                    ]
                }
            ).text
        }
    }
}

import ArgumentParser
import EnsembleModel
import RegistryAPI
import RegistryClient

/// Has decisions computed again and says what differs.
struct ReplayCommand: RegistryRequest {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Compute decisions again from their stored inputs and compare every number bit for bit.",
        discussion: """
            Needs the audit scope. Exit status: 0 when everything is identical, 1 when something differs or could not \
            be replayed.
            """)

    @Argument(help: "Number of a decision.") var decision: Int64?
    @Flag(help: "Every decision of an ensemble, oldest first.") var all = false
    @Option(help: ArgumentHelp("The ensemble, with --all.", valueName: "name")) var ensemble: String?
    @OptionGroup(title: "Connection") var connection: ConnectionOptions

    mutating func validate() throws {
        guard (decision != nil) != all, all == (ensemble != nil) else {
            throw ValidationError("Give the number of a decision, or --all with --ensemble NAME.")
        }
    }

    func run(_ client: RegistryClient, _ output: Output) async throws {
        var queued: [EvaluationRecord] = []
        for decision in try await decisions(client) {
            queued.append(try await client.requestReplay(decision: decision))
        }
        let progress = ProgressLine(output.console)
        var results: [ReplayResult] = []
        for evaluation in queued {
            let final = try await client.follow(evaluation, progress)
            let replay = final.state == .replayed ? try await client.replay(evaluation: final.id) : nil
            results.append(ReplayResult(decision: evaluation.replays, evaluation: final, replay: replay))
        }
        try output.emit(results) { results in results.map(\.text).joined(separator: "\n") }
        if results.contains(where: { $0.replay?.identical != true }) { try ExitStatus.failed.end() }
    }

    private func decisions(_ client: RegistryClient) async throws -> [Int64] {
        if let decision { return [decision] }
        guard let ensemble else { return [] }
        var ids: [Int64] = []
        var after: String?
        repeat {
            let page = try await client.decisions(ensemble: ensemble, after: after)
            ids += page.items.map(\.id)
            after = page.next
        } while after != nil
        return ids.reversed()
    }
}

/// The JSON of one replayed decision.
struct ReplayResult: Codable, Sendable {
    var decision: Int64?
    var evaluation: EvaluationRecord
    /// nil when it could not be replayed.
    var replay: ReplayRecord?

    var text: String {
        let name = "decision \(decision.map(String.init) ?? "?")"
        guard let replay else { return "\(name): not replayed: \(evaluation.failure ?? evaluation.state.rawValue)" }
        guard !replay.identical else {
            return
                "\(name): identical, evidence sha256 \(replay.stored) (\(Format.number(replay.seconds, places: 1)) s)"
        }
        var text = "\(name): DIFFERS in \(replay.differences.count) places"
        if replay.decidedWith != replay.replayedWith {
            text += "; decided by version \(replay.decidedWith), replayed by \(replay.replayedWith)"
        }
        let table = TextTable(
            columns: [.text("place"), .text("stored"), .text("recomputed")],
            rows: replay.differences.map { [$0.path, $0.stored ?? "-", $0.recomputed ?? "-"] })
        return text + "\n" + table.text
    }
}

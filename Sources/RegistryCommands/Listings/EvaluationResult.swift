import ArgumentParser
import EnsembleModel
import RegistryAPI
import RegistryClient

/// The JSON of the commands that start an evaluation.
struct EvaluationResult: Codable, Sendable {
    var evaluation: EvaluationRecord
    /// With `--wait`, once there is one.
    var decision: DecisionRecord?

    /// Writes a started evaluation, or follows it to its end and writes that.
    static func finish(
        _ evaluation: EvaluationRecord, waiting: Bool, _ client: RegistryClient, _ output: Output
    ) async throws {
        guard waiting else {
            return try output.emit(EvaluationResult(evaluation: evaluation, decision: nil)) { text($0.evaluation) }
        }
        let final = try await client.follow(evaluation, ProgressLine(output.console))
        let report = try await client.report(of: final)
        try output.emit(EvaluationResult(evaluation: final, decision: report?.decision)) { result in
            report.map(DecisionText.full) ?? text(result.evaluation)
        }
        try ExitStatus(report?.decision).end()
    }

    static func text(_ evaluation: EvaluationRecord) -> String {
        let start = "Evaluation \(evaluation.id) of \(evaluation.ensemble): \(evaluation.state.rawValue)"
        if evaluation.state == .failed { return "\(start): \(failure(of: evaluation))" }
        return start + (evaluation.state == .cancelled ? evaluation.failure.map { ": \($0)" } ?? "" : "") + "."
    }

    /// Why an evaluation failed, and the way on where there is one.
    static func failure(of evaluation: EvaluationRecord?) -> String {
        let reason = "\(evaluation?.failure ?? "no reason is known")."
        guard let evaluation, evaluation.isWorthRetrying else { return reason }
        return reason + " Queue it again with `registry retry \(evaluation.id)`."
    }
}

/// Queues a failed evaluation again.
struct RetryCommand: RegistryRequest {
    static let configuration = CommandConfiguration(commandName: "retry", abstract: "Queue a failed evaluation again.")

    @Argument(help: "Number of the evaluation.") var evaluation: Int64
    @Flag(help: "Wait for the verdict; the exit status tells it.") var wait = false
    @OptionGroup(title: "Connection") var connection: ConnectionOptions

    func run(_ client: RegistryClient, _ output: Output) async throws {
        try await EvaluationResult.finish(try await client.retry(evaluation: evaluation), waiting: wait, client, output)
    }
}

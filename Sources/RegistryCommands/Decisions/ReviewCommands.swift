import ArgumentParser
import EnsembleModel
import RegistryClient

/// Approves of a promotion that waits for it.
struct ApproveCommand: RegistryRequest {
    static let configuration = CommandConfiguration(
        commandName: "approve",
        abstract: "Let a promotion be published that waits for approval.",
        discussion: """
            The last approval needed publishes. Needs the scope admin, and somebody other than who submitted the model \
            or asked for the founding. Where \
            champion, policy or epoch have changed since the evaluation, nothing is published: the submission is \
            evaluated again, approvals do not carry over, and the exit status is 5.
            """)

    @Argument(help: "Number of the decision.") var decision: Int64
    @Option(help: ArgumentHelp("Why, for the record.", valueName: "text")) var reason: String?
    @OptionGroup(title: "Connection") var connection: ConnectionOptions

    func run(_ client: RegistryClient, _ output: Output) async throws {
        let record = try await client.approve(decision: decision, reason: reason)
        try output.emit(record, text: ApprovalText.afterReview)
        // One of two approvals is done as much as the last.
        if record.approval?.state != .pending { try ExitStatus(record).end() }
    }
}

/// Rejects a promotion that waits for approval.
struct RejectCommand: RegistryRequest {
    static let configuration = CommandConfiguration(
        commandName: "reject", abstract: "Turn down a promotion that waits for approval, for good.",
        discussion: """
            Needs the scope admin. The champion stays; what the evaluation spent stays spent. Who submitted the model \
            may reject it too, to withdraw it.
            """)

    @Argument(help: "Number of the decision.") var decision: Int64
    @Option(help: ArgumentHelp("Why, for the record.", valueName: "text")) var reason: String
    @OptionGroup(title: "Connection") var connection: ConnectionOptions

    mutating func validate() throws {
        guard reason.contains(where: { !$0.isWhitespace }) else {
            throw ValidationError("--reason says why: a rejection is final.")
        }
    }

    func run(_ client: RegistryClient, _ output: Output) async throws {
        try output.emit(try await client.reject(decision: decision, reason: reason), text: ApprovalText.afterReview)
    }
}

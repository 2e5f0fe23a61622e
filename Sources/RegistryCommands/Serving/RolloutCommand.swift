import ArgumentParser
import EnsembleModel
import Foundation
import RegistryAPI
import RegistryClient

/// The staged rollout of an ensemble's newest manifest.
struct RolloutCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rollout", abstract: "See and steer how an ensemble's newest manifest reaches the serving nodes.",
        discussion: """
            Under a policy with `rollout:` an admission reaches one node first, then 1 %, 10 %, 50 % and all of \
            them. A stage bakes for a while once all its nodes serve the manifest, and the rollout halts by itself \
            when nodes refuse it, fail most requests with it or fall silent. Nodes that have the manifest keep it, \
            and a node with nothing to serve takes it at any stage: `registry rollback` is the way back.
            """,
        subcommands: [Show.self, Halt.self, Resume.self, Finish.self])

    /// Shows it.
    struct Show: RegistryRequest {
        static let configuration = CommandConfiguration(
            commandName: "show", abstract: "Tell which nodes it has reached and what it waits for.")

        @Argument(help: "Ensemble.") var name: String
        @OptionGroup(title: "Connection") var connection: ConnectionOptions

        func run(_ client: RegistryClient, _ output: Output) async throws {
            try output.emit(await client.rollout(ensemble: name), text: RolloutText.of)
        }
    }

    /// Halts it.
    struct Halt: RegistryRequest {
        static let configuration = CommandConfiguration(
            commandName: "halt", abstract: "Let no further node take the manifest.")

        @OptionGroup var steering: SteeringOptions
        @OptionGroup(title: "Connection") var connection: ConnectionOptions

        func run(_ client: RegistryClient, _ output: Output) async throws {
            try await steering.run(.halt, client, output)
        }
    }

    /// Lets it go on.
    struct Resume: RegistryRequest {
        static let configuration = CommandConfiguration(
            commandName: "resume",
            abstract: "Let a halted rollout go on.",
            discussion: "Nodes that refuse the manifest, or are silent, by now do not count any more.")

        @OptionGroup var steering: SteeringOptions
        @OptionGroup(title: "Connection") var connection: ConnectionOptions

        func run(_ client: RegistryClient, _ output: Output) async throws {
            try await steering.run(.resume, client, output)
        }
    }

    /// Ends it.
    struct Finish: RegistryRequest {
        static let configuration = CommandConfiguration(
            commandName: "finish", abstract: "Let all nodes take the manifest now.")

        @OptionGroup var steering: SteeringOptions
        @OptionGroup(title: "Connection") var connection: ConnectionOptions

        func run(_ client: RegistryClient, _ output: Output) async throws {
            try await steering.run(.finish, client, output)
        }
    }
}

/// What a hand on a rollout needs.
struct SteeringOptions: ParsableArguments {
    @Argument(help: "Ensemble.") var name: String
    @Option(help: ArgumentHelp("Why, for the audit.", valueName: "text")) var reason: String

    func validate() throws {
        guard !reason.isEmpty else { throw ValidationError("--reason must say why") }
    }

    func run(_ action: RolloutSteering, _ client: RegistryClient, _ output: Output) async throws {
        try output.emit(await client.steerRollout(ensemble: name, action, reason: reason), text: RolloutText.of)
    }
}

/// A rollout in words.
enum RolloutText {
    static func of(_ rollout: RolloutRecord) -> String {
        let title = "Manifest \(rollout.sequence) of \(rollout.ensemble)"
        let nodes = rollout.nodes
        switch rollout.state {
        case .complete: return "\(title) has reached all nodes: \(nodes.serving) of \(nodes.following) serve it."
        case .superseded: return "\(title) was superseded."
        case .halted:
            return """
                \(title) is halted at \(stage(rollout)): \(rollout.reason.withoutControls()).
                \(progress(rollout)) `registry rollout resume` goes on, `registry rollback` goes back.
                """
        case .baking: return "\(title) is rolled out to \(stage(rollout)).\n\(progress(rollout))"
        }
    }

    private static func stage(_ rollout: RolloutRecord) -> String {
        let nodes = "\(rollout.nodes.reached) of \(rollout.nodes.following) nodes"
        // The first stage is a node and no share.
        return ManifestRollout.shares.contains(rollout.share) ? "\(nodes) (\(rollout.share / 100) %)" : nodes
    }

    private static func progress(_ rollout: RolloutRecord) -> String {
        let serving = "\(rollout.nodes.serving) of them serve it, \(rollout.nodes.failing) fail"
        guard rollout.state == .baking else { return "\(serving)." }
        guard let since = rollout.bakingSince else { return "\(serving); it bakes once all do." }
        let bake = Format.duration(Double(rollout.bakeSeconds))
        return "\(serving); it bakes for \(bake) since \(Format.date(since)) UTC."
    }
}

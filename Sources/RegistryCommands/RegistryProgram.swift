import ArgumentParser
import EnsembleModel
import Foundation
import RegistryClient

/// The command line program `registry`.
public enum RegistryProgram {
    /// Runs a command.
    ///
    /// - Parameter arguments: the arguments without the program's name.
    /// - Returns: the exit status: 0 done, 1 failed, 2 usage, 3 refused by validation, 4 rejected verdict, 5 held or
    ///   waiting for approval, 6 not authorised, 7 registry unreachable.
    public static func run(_ arguments: [String]) async -> Int32 {
        await run(arguments, console: .standard)
    }

    static func run(_ arguments: [String], console: Console) async -> Int32 {
        await Console.$current.withValue(console) {
            do {
                var command = try RegistryCommand.parseAsRoot(arguments)
                if var command = command as? any AsyncParsableCommand {
                    try await command.run()
                } else {
                    try command.run()
                }
                return ExitStatus.done.rawValue
            } catch {
                return report(error, wantsJSON: arguments.contains("--json"), on: console)
            }
        }
    }

    private static func report(_ error: any Error, wantsJSON: Bool, on console: Console) -> Int32 {
        switch error {
        case let exit as ExitCode: return exit.rawValue
        case is CommandError, is RegistryClientError:
            if wantsJSON, let problem = (error as? RegistryClientError)?.problem {
                try? Output(console: console, json: true).emit(problem) { _ in "" }
            }
            console.tell("Error: \(ErrorText.of(error))\n")
            return ExitStatus(error).rawValue
        default: break
        }
        let message = RegistryCommand.fullMessage(for: error, columns: console.width)
        switch RegistryCommand.exitCode(for: error) {
        case .success:
            try? console.write(message + "\n")
            return ExitStatus.done.rawValue
        case .validationFailure:
            console.tell(message + "\n")
            return ExitStatus.usage.rawValue
        default:
            console.tell("Error: \(error)\n")
            return ExitStatus(error).rawValue
        }
    }
}

/// The root of the commands.
struct RegistryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "registry",
        abstract: "Submit models to ensembles and see what became of them.",
        discussion: """
            Exit status: 0 done; 1 failed; 2 wrong usage; 3 refused by validation; 4 rejected (with --wait); 5 held or \
            waiting for approval; 6 not authorised; 7 registry unreachable.
            """,
        version: ProgramVersion.current,
        subcommands: [
            EnsemblesCommand.self, SubmitCommand.self, SubmissionsCommand.self, ModelsCommand.self,
            PromotionsCommand.self, RolloutCommand.self, RollbackCommand.self, RecoverCommand.self,
            NodesCommand.self, DecisionsCommand.self, ApproveCommand.self, RejectCommand.self,
            ManifestCommand.self, RetryCommand.self, ReplayCommand.self, SimulateCommand.self, TokensCommand.self,
            KeysCommand.self,
        ])
}

import ArgumentParser
import DaemonProgram
import EnsembleModel

@main
struct RegistrydCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "registryd",
        abstract: "Keep the registry: answer its API, evaluate submissions, publish manifests.",
        version: ProgramVersion.current,
        subcommands: [ServeCommand.self, WorkerCommand.self, MigrateCommand.self])

    static func main() async { await runProgram() }
}

public import ArgumentParser
import Foundation

extension AsyncParsableCommand {
    /// Runs the program and ends the process: exit status 0 done, 1 failed, 2 wrong usage, the same for every program
    /// of the registry.
    public static func runProgram() async -> Never {
        do {
            var command = try parseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            exit()
        } catch {
            guard exitCode(for: error) == .validationFailure else { exit(withError: error) }
            // The parser's own status for it is 64.
            FileHandle.standardError.write(Data((fullMessage(for: error) + "\n").utf8))
            exit(withError: ExitCode(2))
        }
    }
}

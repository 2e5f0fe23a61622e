import Foundation
import RegistryCommands

exit(await RegistryProgram.run(Array(CommandLine.arguments.dropFirst())))

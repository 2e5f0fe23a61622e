import ArgumentParser
import Foundation
import RegistryServer

struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Bring the schema of the database in DATABASE_URL up to this program.")

    @OptionGroup var logging: LoggingOptions

    func run() async throws {
        guard let database = ProcessInfo.processInfo.environment["DATABASE_URL"] else {
            throw ValidationError("set DATABASE_URL; an embedded database is migrated by 'registryd serve' itself")
        }
        try await SchemaMigration(database: database, logger: logging.logger("registryd")).run()
    }
}

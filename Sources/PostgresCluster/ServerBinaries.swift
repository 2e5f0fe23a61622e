import Foundation

/// The directory that holds the programs of one major version of Postgres.
struct ServerBinaries: Sendable {
    /// The first that has `initdb --locale-provider`; no older one is tested.
    static let oldestVersion = 15

    let directory: String
    let majorVersion: Int

    func path(_ name: String) -> String { "\(directory)/\(name)" }

    /// Finds programs that can serve the data: of `dataVersion` when there is data, else the first of the places below.
    ///
    /// - Parameter directory: the only place to look in; nil looks where `pg_config --bindir` points, in
    ///   `/usr/lib/postgresql/*/bin` (newest first), and on `PATH`.
    static func find(in directory: String?, dataVersion: Int?) throws -> ServerBinaries {
        let places = directory.map { [$0] } ?? usualPlaces
        let installed = places.compactMap { Self(directory: $0) }
        guard !installed.isEmpty else {
            throw PostgresClusterError(
                .binariesMissing,
                "the programs postgres and initdb were not found in \(places.joined(separator: ", ")): "
                    + "install them with 'apt-get install postgresql'")
        }
        let versions = Set(installed.map(\.majorVersion)).sorted().map(String.init).joined(separator: ", ")
        if let dataVersion {
            guard let match = installed.first(where: { $0.majorVersion == dataVersion }) else {
                throw PostgresClusterError(
                    .versionMismatch,
                    "the data was written by Postgres \(dataVersion), and installed is \(versions): install the one it "
                        + "needs with 'apt-get install postgresql-\(dataVersion)', or convert the data with pg_upgrade")
            }
            return match
        }
        guard let match = installed.first(where: { $0.majorVersion >= oldestVersion }) else {
            throw PostgresClusterError(
                .versionMismatch, "Postgres \(oldestVersion) or later is needed, and installed is \(versions)")
        }
        return match
    }

    private init?(directory: String) {
        let names = ["postgres", "initdb"]
        guard names.allSatisfy({ FileManager.default.isExecutableFile(atPath: "\(directory)/\($0)") }),
            // "postgres (PostgreSQL) 15.18 (Debian ...)", or "17beta1" for a version to come
            let answer = Command(executable: "\(directory)/postgres", arguments: ["--version"]).answer(),
            case let words = answer.split(separator: " "), words.count > 2,
            let version = Int(words[2].prefix(while: \.isNumber))
        else { return nil }
        self.directory = directory
        self.majorVersion = version
    }

    private static var usualPlaces: [String] {
        let configured = Command.find("pg_config").flatMap { Command(executable: $0, arguments: ["--bindir"]).answer() }
        let debian = "/usr/lib/postgresql"
        let versions = ((try? FileManager.default.contentsOfDirectory(atPath: debian)) ?? []).compactMap(Int.init)
        let places = [configured].compactMap(\.self) + versions.sorted(by: >).map { "\(debian)/\($0)/bin" }
        return (places + Command.searchPath).reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }
}

import EnsembleModel
import Logging
import Postgres

extension RegistryStore {
    /// Applies the migrations that the database lacks, one transaction each. Safe to run anywhere and at the same time.
    ///
    /// - Returns: the names of those applied now, in order.
    /// - Throws: ``StoreError`` with code `schemaTooNew` or `checksumMismatch`; then nothing was applied.
    public func migrate() async throws -> [String] {
        try await migrate(Migration.all)
    }

    func migrate(_ known: [Migration]) async throws -> [String] {
        var names: [String] = []
        while let name = try await transaction({ try await Self.applyNext(of: known, on: $0) }) {
            logger.info("migration applied", metadata: ["migration": "\(name)"])
            names.append(name)
        }
        return names
    }

    /// Checks that the database has exactly this program's schema.
    ///
    /// - Throws: ``StoreError`` with code `schemaTooOld`, `schemaTooNew` or `checksumMismatch`.
    public func checkSchema() async throws {
        try await checkSchema(Migration.all)
    }

    func checkSchema(_ known: [Migration]) async throws {
        let isPresent = try await query("SELECT to_regclass('schema_migration') IS NOT NULL") {
            try $0.decode(Bool.self)
        }
        let applied = isPresent == [true] ? try await query(Self.appliedMigrations, Self.migration) : []
        if let missing = try Migration.pending(known: known, applied: applied).first {
            throw StoreError(.schemaTooOld, "the database lacks migration '\(missing.name)'; run `registryd migrate`")
        }
    }

    /// Applies one migration under the lock; nil when none is left. The lock goes with the transaction, so the state is
    /// read anew each time.
    private static func applyNext(of known: [Migration], on connection: Connection) async throws -> String? {
        _ = try await connection.query("SELECT pg_advisory_xact_lock(\(AdvisoryLock.migrations.rawValue))")
        try await connection.execute(
            """
            CREATE TABLE IF NOT EXISTS schema_migration (
                name text COLLATE "C" PRIMARY KEY,
                sha256 text NOT NULL,
                applied_at timestamptz NOT NULL DEFAULT now()
            )
            """)
        let applied = try await connection.query(appliedMigrations).map(migration)
        guard let next = try Migration.pending(known: known, applied: applied).first else { return nil }
        try await connection.script(next.sql)
        try await connection.execute(
            "INSERT INTO schema_migration (name, sha256) VALUES (\(next.name), \(next.checksum.hex))")
        return next.name
    }

    private static let appliedMigrations: SQL = "SELECT name, sha256 FROM schema_migration ORDER BY name"

    private static func migration(_ row: Row) throws -> (name: String, checksum: String) {
        try row.decode(String.self, String.self)
    }
}

/// The advisory locks in use, by number; ours alone within a database.
enum AdvisoryLock: Int64 {
    case migrations = 7_305_801_001
    case auditChain = 7_305_801_002
}

import EnsembleModel
import Foundation
import Postgres
import Testing

@testable import RegistryStore

@Suite struct SchemaTests {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    @Test func theProgramCarriesTheMigrationsByteForByte() throws {
        let directory = Self.root.appendingPathComponent("migrations")
        let files = try FileManager.default.contentsOfDirectory(atPath: directory.path).filter { $0.hasSuffix(".sql") }
            .sorted()
        #expect(Migration.all.map { "\($0.name).sql" } == files, "run deploy/generate-migrations")
        for migration in Migration.all {
            let text = try String(
                contentsOf: directory.appendingPathComponent("\(migration.name).sql"), encoding: .utf8)
            #expect(migration.sql == text, "run deploy/generate-migrations")
        }
    }

    @Test func migratingAgainDoesNothing() async throws {
        try await StoreFixture.with(migrated: false) { fixture in
            let store = fixture.store
            #expect(await storeError { try await store.checkSchema() } == .schemaTooOld)
            #expect(await storeError { _ = try await store.ensembles() } == .schemaTooOld)
            #expect(try await store.migrate() == Migration.all.map(\.name))
            #expect(try await store.migrate() == [])
            try await store.checkSchema()
        }
    }

    @Test func daemonsThatMigrateAtOnceApplyEachMigrationOnce() async throws {
        try await StoreFixture.with(migrated: false) { fixture in
            let store = fixture.store
            let applied = try await withThrowingTaskGroup(of: [String].self) { group in
                for _ in 0..<4 { group.addTask { try await store.migrate() } }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            // One may apply the first and end after another that applied the rest.
            #expect(applied.sorted() == Migration.all.map(\.name))
        }
    }

    @Test func aChangedMigrationIsRefused() async throws {
        try await StoreFixture.with { fixture in
            let store = fixture.store
            try await fixture.client.execute("UPDATE schema_migration SET sha256 = repeat('0', 64)")
            #expect(await storeError { _ = try await store.migrate() } == .checksumMismatch)
            #expect(await storeError { try await store.checkSchema() } == .checksumMismatch)
        }
    }

    @Test func aNewerDatabaseIsRefused() async throws {
        try await StoreFixture.with { fixture in
            let store = fixture.store
            let newer = Migration.all + [Migration(name: "9999_future", sql: "CREATE TABLE future (id bigint);")]
            #expect(await storeError { try await store.checkSchema(newer) } == .schemaTooOld)
            let applied = try await store.migrate(newer)
            #expect(applied == ["9999_future"])
            #expect(await storeError { _ = try await store.migrate() } == .schemaTooNew)
            #expect(await storeError { try await store.checkSchema() } == .schemaTooNew)
        }
    }

    @Test func aMigrationThatFailsLeavesNothing() async throws {
        try await StoreFixture.with { fixture in
            let store = fixture.store
            let broken = Migration(
                name: "9999_broken", sql: "CREATE TABLE half (id bigint); SELECT no_such_function();")
            #expect(await storeError { _ = try await store.migrate(Migration.all + [broken]) } != nil)
            #expect(try await fixture.number("SELECT count(*) FROM pg_tables WHERE tablename = 'half'") == 0)
            try await store.checkSchema()
        }
    }

    @Test func pendingMigrationsFollowThoseApplied() throws {
        let known = ["0001_a", "0002_b", "0003_c"].map { Migration(name: $0, sql: $0) }
        let applied = known.map { (name: $0.name, checksum: $0.checksum.hex) }
        #expect(try Migration.pending(known: known, applied: []).map(\.name) == known.map(\.name))
        #expect(try Migration.pending(known: known, applied: Array(applied[..<2])).map(\.name) == ["0003_c"])
        // One that was slipped in between those applied.
        #expect(throws: StoreError.self) { try Migration.pending(known: known, applied: [applied[0], applied[2]]) }
    }
}

import EnsembleModel
import Postgres
import Testing

@testable import RegistryStore

@Suite struct IdentityTests {
    @Test func aTokenOpensUntilItIsRevoked() async throws {
        try await StoreFixture.with { fixture in
            let store = fixture.store
            let (record, secret) = try await store.createToken(
                name: "sam", scopes: [.submit, .read, .submit], actor: "ann")
            #expect(record.scopes == [.read, .submit] && record.createdBy == "ann" && record.revokedAt == nil)
            #expect(secret.wholeMatch(of: /ert_[A-Za-z0-9_-]{43}/) != nil)
            #expect(try await store.authenticate(secret: secret) == record)
            #expect(try await store.authenticate(secret: secret + "x") == nil)
            #expect(try await store.authenticate(secret: "") == nil)
            #expect(try await store.tokens() == [record])
            #expect(try await store.tokenCount(notNamed: "local") == 1)
            #expect(try await store.tokenCount(notNamed: "sam") == 0)

            try await store.revoke(token: record.id, actor: "ann")
            try await store.revoke(token: record.id, actor: "ann")
            #expect(try await store.authenticate(secret: secret) == nil)
            #expect(try await store.tokens().first?.revokedAt != nil)
            #expect(try await store.tokenCount(notNamed: "local") == 0)
            #expect(await storeError { try await store.revoke(token: 99, actor: "ann") } == .notFound)
            #expect(try await fixture.number("SELECT count(*) FROM audit_event") == 2)
        }
    }

    @Test func noTwoSecretsAreTheSame() async throws {
        try await StoreFixture.with { fixture in
            var secrets: Set<String> = []
            for _ in 0..<5 {
                secrets.insert(try await fixture.store.createToken(name: "a", scopes: [.node], actor: "b").secret)
            }
            #expect(secrets.count == 5)
        }
    }

    @Test func theSecretIsNowhereInTheDatabase() async throws {
        try await StoreFixture.with { fixture in
            let (_, secret) = try await fixture.store.createToken(name: "sam", scopes: [.read], actor: "ann")
            for table in ["api_token", "audit_event"] {
                let text = String(secret.dropFirst(4))
                let hits = try await fixture.number(
                    "SELECT count(*) FROM \(identifier: table) t WHERE strpos(t::text, \(text)) > 0")
                #expect(hits == 0, "\(table)")
            }
        }
    }

    @Test func aTokenNeedsANameAndAScope() async throws {
        try await StoreFixture.with { fixture in
            let store = fixture.store
            #expect(
                await storeError { _ = try await store.createToken(name: "sam", scopes: [], actor: "a") }
                    == .invalidValue)
            #expect(
                await storeError { _ = try await store.createToken(name: "s m", scopes: [.read], actor: "a") }
                    == .invalidValue)
        }
    }

    @Test func eventsWrittenAtOnceFormOneChain() async throws {
        try await StoreFixture.with { fixture in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<20 {
                    group.addTask {
                        _ = try await fixture.store.createToken(name: "t\(index)", scopes: [.read], actor: "ünï \"q\"")
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await fixture.number("SELECT max(id) FROM audit_event") == 20)
            #expect(try await fixture.store.verifyAudit() == nil)
        }
    }

    @Test(
        arguments: [
            ("UPDATE audit_event SET actor = 'eve' WHERE id = 3", 3),
            ("UPDATE audit_event SET at = at + interval '1 microsecond' WHERE id = 1", 1),
            ("UPDATE audit_event SET detail = '{}' WHERE id = 5", 5),
            ("UPDATE audit_event SET subject = 'other' WHERE id = 2", 2),
            ("DELETE FROM audit_event WHERE id = 4", 4),
            ("DELETE FROM audit_event WHERE id = 1", 1),
        ])
    func aChangedEventIsFound(statement: String, brokenAt: Int64) async throws {
        try await StoreFixture.with { fixture in
            for index in 0..<5 {
                _ = try await fixture.store.createToken(name: "t\(index)", scopes: [.read], actor: "ann")
            }
            #expect(try await fixture.store.verifyAudit() == nil)
            try await fixture.tamper("audit_event", SQL(unsafe: statement))
            #expect(try await fixture.store.verifyAudit() == brokenAt)
        }
    }
}

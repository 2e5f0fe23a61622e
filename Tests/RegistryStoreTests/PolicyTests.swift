import EnsembleModel
import Postgres
import Testing

@testable import RegistryStore

@Suite struct PolicyTests {
    private static let stricter = Policy(gate: .init(alpha: 0.05, testsPerSubmitter: 2))

    @Test func aPolicyThatIsSetIsInForceAndInTheHistory() async throws {
        try await StoreFixture.withEnsemble { fixture in
            let store = fixture.store
            let set = try await store.setPolicy(
                ensemble: "letters", policy: Self.stricter, reason: "many submitters", actor: "bob")
            #expect(set.isNew)
            #expect((set.record.version, set.record.createdBy, set.record.reason) == (2, "bob", "many submitters"))
            #expect(
                set.record.changes == [
                    PolicyChange(name: "gate.alpha", before: "0.1", after: "0.05"),
                    PolicyChange(name: "gate.tests_per_submitter", before: nil, after: "2"),
                ])
            let record = try await store.ensemble("letters")
            #expect(record.policy == Self.stricter && record.policyVersion == 2)
            #expect(try await store.policy(ensemble: "letters") == set.record)
            let first = try await store.policy(ensemble: "letters", version: 1)
            #expect(first.policy == Policy() && first.changes == [] && first.createdBy == "ann")
            #expect(try await store.policies(ensemble: "letters", limit: 1) == [set.record])
            #expect(try await store.policies(ensemble: "letters", after: 2) == [first])
            #expect(
                await storeError { _ = try await store.policy(ensemble: "letters", version: 3) } == .notFound)
            #expect(await storeError { _ = try await store.policies(ensemble: "x") } == .ensembleNotFound)

            // Creating it again with what it was created with is still harmless.
            try await fixture.create("letters")
            let details = try await fixture.client.query(
                "SELECT detail FROM audit_event WHERE action = 'policy.set' AND subject = 'ensemble letters'"
            ).map { try $0.decode(String.self) }
            #expect(details.count == 1)
            for part in [#""before":{"#, #""after":{"#, #""tests_per_submitter":2"#, #""reason":"many submitters""#] {
                #expect(details[0].contains(part))
            }
            #expect(try await store.verifyAudit() == nil)
        }
    }

    @Test func theSameAgainChangesNothing() async throws {
        try await StoreFixture.withEnsemble { fixture in
            let store = fixture.store
            for policy in [Policy(), Self.stricter, Self.stricter] {
                _ = try await store.setPolicy(ensemble: "letters", policy: policy, reason: "", actor: "bob")
            }
            let again = try await store.setPolicy(
                ensemble: "letters", policy: Self.stricter, reason: "again", actor: "eve")
            #expect(!again.isNew && again.record.version == 2 && again.record.reason == "")
            #expect(try await fixture.number("SELECT count(*) FROM policy_version") == 2)
            #expect(try await fixture.number("SELECT count(*) FROM audit_event WHERE action = 'policy.set'") == 1)
        }
    }

    @Test func setAtOnceEveryVersionHasItsNumber() async throws {
        try await StoreFixture.withEnsemble { fixture in
            let store = fixture.store
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 1...8 {
                    group.addTask {
                        let policy = Policy(gate: .init(testsPerEpoch: number))
                        _ = try await store.setPolicy(ensemble: "letters", policy: policy, reason: "", actor: "bob")
                    }
                }
                try await group.waitForAll()
            }
            let history = try await store.policies(ensemble: "letters")
            #expect(history.map(\.version) == (1...9).reversed())
            #expect(try await store.ensemble("letters").policy == history[0].policy)
        }
    }

    @Test func whatIsQueuedIsEvaluatedUnderTheNewPolicy() async throws {
        try await StoreFixture.withEnsemble { fixture in
            try await fixture.found()
            try await fixture.submit("x@1", seed: 7)
            _ = try await fixture.store.setPolicy(
                ensemble: "letters", policy: Self.stricter, reason: "", actor: "bob")
            let claim = try await fixture.claim()
            #expect(claim.policy == Self.stricter && claim.policyVersion == 2)
        }
    }

    @Test func aPolicyThatIsNotValidIsRefused() async throws {
        try await StoreFixture.withEnsemble { fixture in
            let store = fixture.store
            let policy = Policy(gate: .init(alpha: 2))
            let error = await #expect(throws: EnsembleModelError.self) {
                _ = try await store.setPolicy(ensemble: "letters", policy: policy, reason: "", actor: "bob")
            }
            #expect(error?.message.contains("gate.alpha") == true)
            #expect(
                await storeError {
                    _ = try await store.setPolicy(
                        ensemble: "letters", policy: Self.stricter, reason: String(repeating: "x", count: 2001),
                        actor: "bob")
                } == .invalidValue)
            let version = try await store.ensemble("letters").policyVersion
            #expect(version == 1)
        }
    }

    @Test func columnsOfGroupsNeedGroups() async throws {
        let grouped = Policy(columns: .probabilityAndGroup)
        let alone = try ValidationSet(
            classes: ["a", "b"],
            rows: (0..<4).map { .init(id: "r\($0)", label: $0 % 2, group: "g\($0)", slice: "s") })
        try await StoreFixture.withEnsemble(policy: grouped) { fixture in
            let store = fixture.store
            let created = await #expect(throws: EnsembleModelError.self) {
                _ = try await store.createEnsemble(
                    name: "single", description: "", validation: alone, policy: grouped, actor: "ann")
            }
            _ = try await store.createEnsemble(
                name: "single", description: "", validation: alone, policy: Policy(), actor: "ann")
            let set = await #expect(throws: EnsembleModelError.self) {
                _ = try await store.setPolicy(ensemble: "single", policy: grouped, reason: "", actor: "ann")
            }
            for error in [created, set] {
                #expect(error?.code == .invalidPolicy)
                #expect(error?.message.contains("every group of the validation set is a single row") == true)
            }
            #expect(try await store.ensemble("letters").policy == grouped)
        }
    }

    /// Figures over all rows were shown: there is nothing left to seal.
    @Test func theGateDoesNotComeAfterTheFiguresOfItsRows() async throws {
        let ranking = Policy(admission: .shapleyTopK)
        try await StoreFixture.withEnsemble(policy: ranking) { fixture in
            let store = fixture.store
            func set(_ policy: Policy) async throws {
                _ = try await store.setPolicy(ensemble: "letters", policy: policy, reason: "", actor: "ann")
            }
            try await fixture.found()
            // A founding shows figures too, but of no newcomer.
            try await set(Policy())
            try await set(ranking)
            try await fixture.submit("x@1", seed: 7)
            try await fixture.decideNext(.rejectNoGain)
            #expect(await storeError { try await set(Policy()) } == .conflict)
            try await set(Policy(admission: .shapleyTopK, parsimony: 1))
            #expect(try await store.ensemble("letters").policyVersion == 4)
        }
    }
}

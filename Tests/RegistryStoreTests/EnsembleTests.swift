import EnsembleModel
import Postgres
import Testing

@testable import RegistryStore

@Suite struct EnsembleTests {
    @Test func creatingAgainWithTheSameContentGivesTheSame() async throws {
        try await StoreFixture.with { fixture in
            let validation = try StoreFixture.validation(rows: 5)
            let policy = Policy(parsimony: 0.1 + 0.2, budget: Budget(members: 3, latencyMilliseconds: 12.5))
            let first = try await fixture.store.createEnsemble(
                name: "e", description: "words", validation: validation, policy: policy, actor: "ann")
            let again = try await fixture.store.createEnsemble(
                name: "e", description: "words", validation: validation, policy: policy, actor: "bob")
            #expect(first.created && !again.created)
            #expect(first.record == again.record)
            let record = first.record
            #expect(record.policy == policy)
            #expect(record.classes == ["a", "b"])
            #expect(record.epoch.validation == validation.digest)
            #expect(record.epoch.salt == validation.digest.hex)
            #expect((record.epoch.rowCount, record.epoch.groupCount, record.epoch.sliceCount) == (5, 3, 3))
            #expect(record.createdBy == "ann")
            #expect(
                record.sequence == 0 && record.members == [] && record.manifest == nil && record.epoch.preset == nil)
            #expect(try await fixture.number("SELECT count(*) FROM audit_event") == 1)
        }
    }

    @Test(arguments: ["rows", "policy", "description"])
    func creatingAgainWithOtherContentIsRefused(_ difference: String) async throws {
        try await StoreFixture.withEnsemble { fixture in
            let store = fixture.store
            let code = await storeError {
                _ = try await store.createEnsemble(
                    name: StoreFixture.ensemble, description: difference == "description" ? "other" : "",
                    validation: StoreFixture.validation(rows: difference == "rows" ? 5 : 4),
                    policy: difference == "policy" ? Policy(parsimony: 1) : Policy(), actor: "ann")
            }
            #expect(code == .ensembleExists)
        }
    }

    @Test func createdAtOnceItIsCreatedOnce() async throws {
        try await StoreFixture.with { fixture in
            let store = fixture.store
            let created = try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 0..<6 {
                    group.addTask {
                        try await store.createEnsemble(
                            name: "e", description: "", validation: StoreFixture.validation(rows: 4), policy: Policy(),
                            actor: "ann"
                        ).created
                    }
                }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(created == 1)
        }
    }

    @Test func listingsGoOnAfterAName() async throws {
        try await StoreFixture.with { fixture in
            for name in ["b", "B", "a-1", "a", "a.1"] { try await fixture.create(name) }
            let first = try await fixture.store.ensembles(limit: 2).map(\.name)
            let rest = try await fixture.store.ensembles(after: first.last, limit: 100).map(\.name)
            #expect(first + rest == ["B", "a", "a-1", "a.1", "b"])
            #expect(rest.count == 3)
        }
    }

    @Test func aValidationSetOfSeveralBlocksComesBackAsItWas() async throws {
        try await StoreFixture.withEnsemble(rows: 70_000) { fixture in
            let set = try await fixture.store.validationSet(ensemble: StoreFixture.ensemble, epoch: 1)
            #expect(try set == StoreFixture.validation(rows: 70_000))
            var sizes: [Int] = []
            var rows: [String] = []
            try await fixture.store.withValidationRows(ensemble: StoreFixture.ensemble) { block in
                sizes.append(block.count)
                rows += block.map { "\($0.id) \($0.group)" }
            }
            #expect(sizes == [65_536, 4_464])
            #expect(rows == zip(set.rowIDs, set.groups).map { "\($0) \(set.groupNames[$1])" })
        }
    }

    @Test func aChangedLabelIsNoticed() async throws {
        try await StoreFixture.withEnsemble { fixture in
            try await fixture.tamper(
                "validation_row_block", "UPDATE validation_row_block SET labels[1] = 1 - labels[1]")
            let store = fixture.store
            #expect(
                await storeError { _ = try await store.validationSet(ensemble: StoreFixture.ensemble, epoch: 1) }
                    == .corrupt)
        }
    }

    @Test func whatIsNotThereIsSaidSo() async throws {
        try await StoreFixture.withEnsemble { fixture in
            let store = fixture.store
            #expect(await storeError { _ = try await store.ensemble("none") } == .ensembleNotFound)
            #expect(
                await storeError { try await store.withValidationRows(ensemble: "none") { _ in } } == .ensembleNotFound)
            #expect(await storeError { _ = try await store.validationSet(ensemble: "letters", epoch: 2) } == .notFound)
            #expect(await storeError { _ = try await store.submissions(ensemble: "none") } == .ensembleNotFound)
            #expect(await storeError { _ = try await store.decisions(ensemble: "none") } == .ensembleNotFound)
            #expect(await storeError { _ = try await store.promotions(ensemble: "none") } == .ensembleNotFound)
            #expect(await storeError { _ = try await store.manifest(ensemble: "none") } == .ensembleNotFound)
            #expect(
                await storeError { _ = try await store.requestFounding(ensemble: "none", actor: "a") }
                    == .ensembleNotFound)
            #expect(await storeError { _ = try await store.submission(1) } == .notFound)
            #expect(await storeError { _ = try await store.evaluation(1) } == .notFound)
            #expect(await storeError { _ = try await store.decision(1) } == .notFound)
            #expect(await storeError { _ = try await store.evidence(decision: 1) } == .notFound)
            #expect(await storeError { _ = try await store.predictions(submission: 1, classCount: 2) } == .notFound)
            #expect(await storeError { _ = try await store.model(ModelVersionID("m@1")) } == .modelNotFound)
            let publication = try await store.publish(evaluation: 1, now: StoreFixture.time)
            #expect(publication == .gone)
            #expect(try await store.manifest(ensemble: "letters") == nil)
            #expect(try await store.combiner(.of("nothing")) == nil)
        }
    }
}

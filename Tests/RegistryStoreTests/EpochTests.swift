import EnsembleModel
import Postgres
import Testing

@testable import RegistryStore

/// New validation sets: the champion serves on, its members come again, what was spent stays spent.
@Suite struct EpochTests {
    /// Starts an epoch of four rows; from row 4 on they are fresh.
    @discardableResult
    private static func start(
        from row: Int, rows: Int = 4, _ fixture: StoreFixture
    ) async throws -> (record: EnsembleRecord, created: Bool) {
        try await fixture.store.startEpoch(
            ensemble: "letters", validation: StoreFixture.validation(rows: rows, from: row), actor: "ann")
    }

    @Test func knownRowsKeepTheirGroups() async throws {
        try await StoreFixture.withEnsemble { fixture in
            let moved = try ValidationSet(
                classes: ["a", "b"],
                rows: [.init(id: "row-0", label: 0, group: "group-1"), .init(id: "x", label: 1, group: "new")])
            do {
                _ = try await fixture.store.startEpoch(ensemble: "letters", validation: moved, actor: "ann")
                Issue.record("it was started")
            } catch let error as StoreError {
                #expect(error.message.contains("row 'row-0' was in group 'group-0' before and is in 'group-1' now"))
            }
            struct Unsplit: Error {}
            await #expect(throws: Unsplit.self) {
                let fresh = try StoreFixture.validation(rows: 4, from: 4)
                _ = try await fixture.store.startEpoch(ensemble: "letters", validation: fresh, actor: "ann") { salt in
                    #expect(salt == fresh.epochSalt)
                    throw Unsplit()
                }
            }
            #expect(try await fixture.number("SELECT count(*) FROM validation_set") == 1, "nothing is stored")
        }
    }

    @Test func newcomersWaitUntilAllMembersHaveComeAgain() async throws {
        try await StoreFixture.withEnsemble { fixture in
            let store = fixture.store
            try await fixture.found()
            try await fixture.submit("late@1", seed: 7)
            let claim = try await fixture.claim()
            try await fixture.complete(claim)
            try await fixture.submit("queued@1", seed: 8)

            let (record, created) = try await Self.start(from: 4, fixture)
            #expect(created && record.epoch.number == 2 && record.epoch.sharesWith == [] && record.sequence == 1)
            #expect(record.members == record.missingMembers && record.members.map(\.description) == ["m1@1", "m2@1"])
            #expect(record.candidateCount == 0 && record.epoch.preset == .small, "the preset goes on")
            #expect(try await store.publish(evaluation: claim.evaluation, now: StoreFixture.time) == .gone)
            #expect(
                try await store.submissions(ensemble: "letters").prefix(2).map(\.state) == [.cancelled, .cancelled])
            let late = await #expect(throws: StoreError.self) {
                try await store.retry(evaluation: claim.evaluation, actor: "ann")
            }
            #expect(late?.code == .conflict && late?.message.contains("epoch") == true)
            #expect(try await Self.start(from: 4, fixture).created == false, "starting twice is starting once")
            #expect(await storeError { try await Self.start(from: 0, fixture) } == .conflict)
            #expect(await storeError { try await fixture.submit("old@1", seed: 9) } == .conflict)

            for (seed, model) in ["late@1", "m2@1"].enumerated() {
                #expect(try await fixture.submit(model, seed: seed, epoch: 2).record.state == .candidate)
            }
            #expect(try await store.claim(worker: "idle", lease: .seconds(60)) == nil)
            #expect(try await store.ensemble("letters").missingMembers.map(\.description) == ["m1@1"])
            #expect(try await fixture.submit("m1@1", seed: 3, epoch: 2).record.state == .candidate)
            #expect(try await store.ensemble("letters").missingMembers == [])
            #expect(try await fixture.submit("next@1", seed: 4, epoch: 2).record.state == .queued)

            let second = try await fixture.claim()
            #expect(second.challenger?.name == "late" && second.epoch == 2 && second.sequence == 1)
            #expect(
                second.champion == record.members
                    && second.ledger == Ledger(evaluations: 0, tenures: second.ledger.tenures))
            for (model, seed) in [("late", 0), ("m1", 3), ("m2", 1)] {
                let candidate = try #require(second.candidates.first { $0.model.name == model })
                #expect(try candidate.predictions == StoreFixture.predictions(rows: 4, seed: seed).digest)
            }
            try await fixture.complete(second)
            #expect(
                try await store.publish(evaluation: second.evaluation, now: StoreFixture.time)
                    == .published(sequence: 2))
            #expect(try await fixture.claim().challenger?.name == "next")
            #expect(try await store.verifyAudit() == nil)
        }
    }

    /// However the last two members race, what waited is queued, and once.
    @Test func theLastTwoMembersMayComeAtOnce() async throws {
        try await StoreFixture.withEnsemble { fixture in
            try await fixture.found()
            for round in 1...10 {
                try await Self.start(from: 4 * round, fixture)
                let epoch = round + 1
                try await fixture.submit("x@1", seed: 9, epoch: epoch)
                async let first = fixture.submit("m1@1", seed: 1, epoch: epoch)
                async let second = fixture.submit("m2@1", seed: 2, epoch: epoch)
                _ = try await (first, second)
                #expect(
                    try await fixture.number(
                        "SELECT count(*) FROM evaluation WHERE state = 'queued' AND kind = 'admission'") == 1)
            }
        }
    }

    @Test func onlyFreshGroupsBringFreshAlpha() async throws {
        try await StoreFixture.withEnsemble { fixture in
            let store = fixture.store
            try await fixture.found()
            try await fixture.submit("x@1", seed: 7, actor: "eve")
            try await fixture.decideNext(.admitRetire, retiring: ["m1@1"])
            let first = try await store.ensemble("letters")
            let spent = first.ledger
            #expect(spent.tests == 1 && spent.coolDowns == ["m1": 5])

            let fresh = try await Self.start(from: 4, fixture).record
            #expect(fresh.ledger.tests == 0 && fresh.ledger.alphaSpent == 0 && fresh.ledger.submitterTests == [:])
            #expect(fresh.ledger.coolDowns == spent.coolDowns && fresh.ledger.evaluations == spent.evaluations)
            #expect(try await fixture.number("SELECT count(*) FROM ledger WHERE retired_loss > 0") == 1)

            // Rows 2 to 5: half of them the first epoch's, half the second's.
            #expect(await storeError { try await Self.start(from: 2, fixture) } == .conflict)
            let known = try await Self.start(from: 2, rows: 2, fixture).record
            #expect(known.epoch.sharesWith == [1] && known.epoch.salt == first.epoch.salt)
            #expect(known.epoch.salt != fresh.epoch.salt)
            #expect(known.ledger.tests == 1 && known.ledger.alphaSpent == spent.alphaSpent)
            #expect(known.ledger.submitterTests == ["eve": 1])
            #expect(
                try await fixture.number("SELECT (retired_loss * 1000)::integer FROM ledger WHERE epoch = 3") == 1)
            for (seed, model) in first.members.enumerated() {
                try await fixture.submit(model.description, rows: 2, seed: seed, epoch: 3)
            }
            try await fixture.submit("y@1", rows: 2, seed: 8, epoch: 3)
            try await fixture.decideNext(.rejectNoGain)
            // Shares groups with the first epoch alone; what the third spent on the same split is spent all the same.
            let again = try await Self.start(from: 0, rows: 2, fixture).record
            #expect(again.epoch.sharesWith == [1, 3] && again.epoch.salt == first.epoch.salt)
            #expect(again.ledger.tests == 2 && again.ledger.submitterTests == ["eve": 1, "sam": 1])
        }
    }

    @Test func aChampionWithoutPredictionsMayBeReplacedByAFounding() async throws {
        try await StoreFixture.withEnsemble { fixture in
            let store = fixture.store
            try await fixture.found()
            #expect(
                await storeError { _ = try await store.requestFounding(ensemble: "letters", actor: "ann") }
                    == .alreadyFounded)
            try await Self.start(from: 4, fixture)
            for (seed, model) in ["m2@1", "n1@1", "n2@1"].enumerated() {
                try await fixture.submit(model, seed: seed, epoch: 2)
            }
            // The missing member comes after all.
            #expect(
                await storeError { _ = try await store.requestFounding(ensemble: "letters", actor: "ann") }
                    == .alreadyFounded, "it must be meant")
            let needless = try await store.requestFounding(ensemble: "letters", replacing: true, actor: "ann")
            try await fixture.submit("m1@1", seed: 5, epoch: 2)
            #expect(try await store.evaluation(needless.id).state == .cancelled)
            #expect(
                await storeError { _ = try await store.retry(evaluation: needless.id, actor: "ann") } == .alreadyFounded
            )
            #expect(try await fixture.number("SELECT count(*) FROM evaluation WHERE state = 'queued'") == 2)

            try await Self.start(from: 8, fixture)
            for (seed, model) in ["m2@1", "n1@1", "n2@1"].enumerated() {
                try await fixture.submit(model, seed: seed, epoch: 3)
            }
            _ = try await store.requestFounding(ensemble: "letters", replacing: true, actor: "ann")
            let claim = try await fixture.claim()
            #expect(claim.champion == [] && claim.preset == nil && claim.sequence == 1 && claim.candidates.count == 3)
            try await fixture.submit("after@1", seed: 8, epoch: 3)
            try await fixture.complete(claim)
            #expect(
                try await store.publish(evaluation: claim.evaluation, now: StoreFixture.time) == .published(sequence: 2)
            )
            let promotion = try #require(try await store.promotions(ensemble: "letters").first)
            #expect(promotion.kind == .founding && promotion.joined.map(\.name) == ["n1", "n2"])
            #expect(promotion.retired.map(\.name) == ["m1"])
            let record = try await store.ensemble("letters")
            #expect(record.members.map(\.name) == ["m2", "n1", "n2"] && record.missingMembers == [])
            #expect(try await fixture.claim().challenger?.name == "after", "it came too late for the founding")
        }
    }

    @Test func rowsThatTopKHasShownAreNotSealed() async throws {
        var open = Policy()
        open.admission = .shapleyTopK
        try await StoreFixture.withEnsemble(policy: open) { fixture in
            func gate() async throws {
                _ = try await fixture.store.setPolicy(ensemble: "letters", policy: Policy(), reason: "", actor: "ann")
            }
            try await fixture.found()
            try await fixture.submit("x@1", seed: 7)
            try await fixture.decideNext(.rejectNoGain)
            try await Self.start(from: 2, fixture)
            #expect(await storeError { try await gate() } == .conflict)
            try await Self.start(from: 6, fixture)
            try await gate()
            #expect(await storeError { try await Self.start(from: 1, fixture) } == .conflict)
            #expect(try await fixture.store.ensemble("letters").epoch.number == 3)
        }
    }

    @Test func aKeyIsForOneEpoch() async throws {
        try await StoreFixture.withEnsemble { fixture in
            let first = try await fixture.submit("x@1", seed: 7, key: "k").record
            #expect(try await fixture.submit("x@1", seed: 7, key: "k").record.id == first.id)
            try await Self.start(from: 4, fixture)
            let second = try await fixture.submit("x@1", seed: 7, key: "k", epoch: 2)
            #expect(second.accepted && second.record.id != first.id && second.record.epoch == 2)
        }
    }
}

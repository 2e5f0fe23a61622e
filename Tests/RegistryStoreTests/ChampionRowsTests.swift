import EnsembleModel
import Foundation
import Postgres
import Testing

@testable import RegistryStore

/// The labelled rows with the average of the champion's members.
@Suite struct ChampionRowsTests {
    private static func read(_ fixture: StoreFixture) async throws -> [RegistryStore.ChampionRowBlock] {
        let rows = try await fixture.store.championRows(ensemble: "letters", reader: "ada")
        var blocks: [RegistryStore.ChampionRowBlock] = []
        try await fixture.store.withBlocks(of: rows) { blocks.append($0) }
        return blocks
    }

    /// Submits predictions, some rows of which are missing.
    private static func submit(
        _ model: String, _ values: [Float], _ fixture: StoreFixture
    ) async throws {
        let predictions = try Predictions(values: values, classCount: 2)
        var new = try StoreFixture.new(model, predictions: predictions)
        new.missingRowCount = (0..<predictions.rowCount).count { predictions.isMissing(row: $0) }
        new.rowCount -= new.missingRowCount
        _ = try await fixture.store.submit(new) { write in for block in predictions.blocks { try await write(block) } }
    }

    @Test func membersAreAveragedWhereTheyHaveTheRow() async throws {
        try await StoreFixture.withEnsemble { fixture in
            let store = fixture.store
            for (name, code) in [("letters", StoreError.Code.notFounded), ("none", .ensembleNotFound)] {
                let error = await storeError { _ = try await store.championRows(ensemble: name, reader: "ada") }
                #expect(error == code)
            }
            try await Self.submit("m1@1", [0.25, 0.75, .nan, .nan, 0.5, 0.5, .nan, .nan], fixture)
            try await Self.submit("m2@1", [0.75, 0.25, 0.125, 0.875, 0.25, 0.75, .nan, .nan], fixture)
            _ = try await store.requestFounding(ensemble: "letters", actor: "ann")
            try await fixture.decideNext()
            // No member: it is not averaged.
            try await Self.submit("x@1", [1, 0, 1, 0, 1, 0, 1, 0], fixture)

            let rows = try await store.championRows(ensemble: "letters", reader: "ada")
            #expect(rows.members.map(\.description) == ["m1@1", "m2@1"] && rows.sequence == 1 && rows.epoch == 1)
            let set = try StoreFixture.validation(rows: 4)
            #expect(rows.validation == set.digest && rows.salt == set.epochSalt && rows.policy == Policy())
            let blocks = try await Self.read(fixture)
            let block = try #require(blocks.first)
            #expect(blocks.count == 1 && block.ids == set.rowIDs && block.labels == set.labels)
            #expect(block.groups == ["group-0", "group-0", "group-1", "group-1"])
            #expect(block.slices == ["slice-0", "slice-1", "slice-2", "slice-0"])
            #expect(block.probabilities.prefix(6) == [0.5, 0.5, 0.125, 0.875, 0.375, 0.625])
            #expect(block.probabilities.suffix(2).filter(\.isNaN).count == 2)
            #expect(
                try await fixture.number(
                    """
                    SELECT count(*) FROM audit_event
                    WHERE actor = 'ada' AND action = 'rows.read_labelled' AND subject = 'ensemble letters'
                    """) == 2)

            _ = try await store.startEpoch(
                ensemble: "letters", validation: StoreFixture.validation(rows: 4, from: 100), actor: "ann")
            let missing = await storeError { _ = try await store.championRows(ensemble: "letters", reader: "ada") }
            #expect(missing == .conflict)
        }
    }

    @Test func blocksFollowEachOtherAndAreCheckedAgainstTheirDigests() async throws {
        let count = StoreLimits.blockRows + 3
        try await StoreFixture.withEnsemble(rows: count) { fixture in
            for seed in [1, 2] { try await fixture.submit("m\(seed)@1", rows: count, seed: seed) }
            _ = try await fixture.store.requestFounding(ensemble: "letters", actor: "ann")
            try await fixture.decideNext()
            let blocks = try await Self.read(fixture)
            #expect(blocks.map(\.ids.count) == [StoreLimits.blockRows, 3])
            let members = try [1, 2].map { try StoreFixture.predictions(rows: count, seed: $0) }
            let last = try #require(blocks.last)
            for index in 0..<6 {
                let position = StoreLimits.blockRows * 2 + index
                let mean = (Double(members[0].values[position]) + Double(members[1].values[position])) / 2
                #expect(last.probabilities[index] == Float(mean))
            }
            try await fixture.tamper(
                "prediction_block",
                "UPDATE prediction_block SET probabilities = set_byte(probabilities, 0, 7) WHERE block = 0")
            #expect(await storeError { _ = try await Self.read(fixture) } == .corrupt)
        }
    }
}

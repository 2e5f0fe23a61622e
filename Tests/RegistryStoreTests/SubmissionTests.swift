import EnsembleModel
import Postgres
import Testing

@testable import RegistryStore

@Suite struct SubmissionTests {
    private struct Interrupted: Error {}

    @Test func predictionsOfSeveralBlocksComeBackBitForBit() async throws {
        try await StoreFixture.withEnsemble(rows: 70_000) { fixture in
            var values = try StoreFixture.predictions(rows: 70_000).values
            values[0] = .nan
            values[1] = .nan
            let predictions = try Predictions(values: values, classCount: 2)
            var new = try StoreFixture.new("m@1", predictions: predictions)
            new.rowCount -= 1
            new.missingRowCount = 1
            let stored = try await fixture.store.submit(new) { write in
                for block in predictions.blocks { try await write(block) }
            }
            let record = stored.record
            #expect(stored.accepted)
            #expect((record.rowCount, record.missingRowCount, record.epoch) == (69_999, 1, 1))
            #expect(record.state == .candidate && record.evaluation == nil && record.submittedBy == "sam")
            let read = try await fixture.store.predictions(submission: record.id, classCount: 2)
            #expect(read.values.map(\.bitPattern) == values.map(\.bitPattern))
            let other = fixture.store
            #expect(
                await storeError { _ = try await other.predictions(submission: record.id, classCount: 3) } == .corrupt)
        }
    }

    @Test(arguments: ["throws before", "throws between", "other content", "too few", "too many", "torn"])
    func whatIsNotWholeLeavesNothing(_ fault: String) async throws {
        try await StoreFixture.withEnsemble(rows: 70_000) { fixture in
            let store = fixture.store
            let before = try await fixture.rowCounts()
            let predictions = try StoreFixture.predictions(rows: 70_000)
            var blocks = predictions.blocks
            switch fault {
            case "other content": blocks[1][0] ^= 1
            case "too few": blocks.removeLast()
            case "too many": blocks.append(blocks[1])
            case "torn": blocks[0].removeLast()
            default: break
            }
            let new = try StoreFixture.new("m@1", predictions: predictions)
            await #expect(throws: (any Error).self) {
                _ = try await store.submit(new) { [blocks] write in
                    if fault == "throws before" { throw Interrupted() }
                    for (index, block) in blocks.enumerated() {
                        if index == 1, fault == "throws between" { throw Interrupted() }
                        try await write(block)
                    }
                }
            }
            #expect(try await fixture.rowCounts() == before)
            // The connection it happened on is of use again.
            #expect(try await fixture.submit("m@1", rows: 70_000).accepted)
        }
    }

    @Test func whatTheWriterThrowsIsThrownOn() async throws {
        try await StoreFixture.withEnsemble { fixture in
            let new = try StoreFixture.new("m@1", predictions: StoreFixture.predictions(rows: 4))
            await #expect(throws: Interrupted.self) {
                _ = try await fixture.store.submit(new) { _ in throw Interrupted() }
            }
        }
    }

    @Test func theSameAgainIsTheSameSubmission() async throws {
        try await StoreFixture.withEnsemble { fixture in
            let metadata = ModelMetadata(
                kind: "language", description: "d", artifactURI: "s3://b/m", artifactSHA256: .of("m"),
                endpoint: "http://m",
                latencyNanoseconds: 5, costNanoUSDPerRow: 7, tags: ["k": "v", "l": "ü"])
            let first = try await fixture.submit("m@1", metadata: metadata, key: "key")
            let counts = try await fixture.rowCounts()
            for (key, actor) in [("key", "sam"), ("other", "sam"), (nil, "sam"), ("key", "eve")] {
                let again = try await fixture.submit("m@1", metadata: metadata, key: key, actor: actor)
                #expect(!again.accepted)
                #expect(again.record == first.record)
            }
            #expect(try await fixture.rowCounts() == counts)
            #expect(try await fixture.store.model(first.record.model).metadata == metadata)
        }
    }

    @Test func otherContentOfAVersionIsRefusedNamingTheField() async throws {
        try await StoreFixture.withEnsemble { fixture in
            let metadata = ModelMetadata(kind: "language", latencyNanoseconds: 5)
            try await fixture.submit("m@1", metadata: metadata)
            let counts = try await fixture.rowCounts()
            var changes: [(String, ModelMetadata)] = []
            for (field, path) in [
                ("kind", \ModelMetadata.kind), ("description", \.description), ("artifact", \.artifactURI),
                ("endpoint", \.endpoint),
            ] {
                var changed = metadata
                changed[keyPath: path] = "other"
                changes.append((field, changed))
            }
            for (field, change) in [
                ("latency", { $0.latencyNanoseconds = nil }), ("cost", { $0.costNanoUSDPerRow = 1 }),
                ("tags", { $0.tags = ["a": "b"] }), ("sha256", { $0.artifactSHA256 = .of("") }),
            ] as [(String, (inout ModelMetadata) -> Void)] {
                var changed = metadata
                change(&changed)
                changes.append((field, changed))
            }
            for (field, changed) in changes {
                let error = await #expect(throws: StoreError.self) {
                    try await fixture.submit("m@1", metadata: changed)
                }
                #expect(error?.code == .modelVersionImmutable)
                #expect(error?.message.contains(field) == true, "\(field)")
                #expect(error?.message.contains("`registry models show m@1`") == true)
            }
            let error = await #expect(throws: StoreError.self) {
                try await fixture.submit("m@1", seed: 2, metadata: metadata)
            }
            #expect(error?.code == .modelVersionImmutable)
            #expect(error?.message.contains("predictions") == true)
            #expect(try await fixture.rowCounts() == counts)
        }
    }

    @Test func anIdempotencyKeyStandsForOneSubmission() async throws {
        try await StoreFixture.withEnsemble { fixture in
            try await fixture.create("other")
            try await fixture.submit("m@1", key: "key")
            let counts = try await fixture.rowCounts()
            #expect(await storeError { try await fixture.submit("m@2", key: "key") } == .idempotencyConflict)
            #expect(await storeError { try await fixture.submit("m@1", seed: 2, key: "key") } == .idempotencyConflict)
            #expect(
                await storeError { try await fixture.submit("m@1", metadata: ModelMetadata(kind: "x"), key: "key") }
                    == .idempotencyConflict)
            #expect(try await fixture.rowCounts() == counts)
            // Somebody else's key is another key, and so is that of another ensemble.
            #expect(try await fixture.submit("m@2", key: "key", actor: "eve").accepted)
            #expect(try await fixture.submit("m@1", to: "other", key: "key").accepted)
        }
    }

    @Test func submittedAtOnceItIsStoredOnce() async throws {
        try await StoreFixture.withEnsemble { fixture in
            let results = try await withThrowingTaskGroup(of: (Int64, Bool).self) { group in
                for index in 0..<8 {
                    group.addTask {
                        let (record, accepted) = try await fixture.submit("m@1", key: index % 2 == 0 ? "key" : nil)
                        return (record.id, accepted)
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(results.filter(\.1).count == 1)
            #expect(Set(results.map(\.0)).count == 1)
            #expect(try await fixture.number("SELECT count(*) FROM prediction_block") == 1)
        }
    }

    @Test func anUploadForAnotherEpochIsRefused() async throws {
        try await StoreFixture.withEnsemble { fixture in
            let predictions = try StoreFixture.predictions(rows: 4)
            let counts = try await fixture.rowCounts()
            let late = try StoreFixture.new("m@1", predictions: predictions, epoch: 2)
            #expect(await storeError { _ = try await fixture.store.submit(late) { _ in } } == .conflict)
            let short = try StoreFixture.new("m@1", predictions: StoreFixture.predictions(rows: 3))
            #expect(await storeError { _ = try await fixture.store.submit(short) { _ in } } == .corrupt)
            let nowhere = try StoreFixture.new("m@1", ensemble: "none", predictions: predictions)
            #expect(await storeError { _ = try await fixture.store.submit(nowhere) { _ in } } == .ensembleNotFound)
            #expect(try await fixture.rowCounts() == counts)
        }
    }

    @Test func changedPredictionsAreNoticed() async throws {
        try await StoreFixture.withEnsemble { fixture in
            let id = try await fixture.submit("m@1").record.id
            try await fixture.tamper(
                "prediction_block", "UPDATE prediction_block SET probabilities = set_byte(probabilities, 3, 1)")
            #expect(
                await storeError { _ = try await fixture.store.predictions(submission: id, classCount: 2) } == .corrupt)
        }
    }

    @Test func modelsAndSubmissionsAreListed() async throws {
        try await StoreFixture.withEnsemble { fixture in
            try await fixture.create("other")
            for model in ["a@1", "a-b@1", "B@2", "a@10"] { try await fixture.submit(model) }
            try await fixture.submit("a@1", to: "other")
            let store = fixture.store
            let first = try await store.models(limit: 3)
            let models = try await first + store.models(after: first.last?.id)
            #expect(models.map(\.id) == models.map(\.id).sorted())
            #expect(models.map(\.id.description) == ["B@2", "a-b@1", "a@1", "a@10"])
            #expect(models.map(\.ensembles) == [["letters"], ["letters"], ["letters", "other"], ["letters"]])
            let newest = try await store.submissions(ensemble: "letters", limit: 3)
            let oldest = try await store.submissions(ensemble: "letters", after: newest.last?.id, limit: 3)
            #expect((newest + oldest).map(\.model.description) == ["a@10", "B@2", "a-b@1", "a@1"])
            #expect(try await store.ensemble("letters").candidateCount == 4)
        }
    }

    @Test func textThatTheDatabaseCannotHoldIsRefused() async throws {
        try await StoreFixture.withEnsemble { fixture in
            let metadata = ModelMetadata(description: "a\0b")
            #expect(await storeError { try await fixture.submit("m@1", metadata: metadata) } == .invalidValue)
        }
    }
}

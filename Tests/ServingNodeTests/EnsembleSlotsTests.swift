import EnsembleModel
import Foundation
import RegistryTesting
import Testing

@testable import ServingNode

@Suite struct EnsembleSlotsTests {
    /// Two releases saved one after the other.
    private struct Saved {
        let folder: URL
        let slots: EnsembleSlots
        let first: Release
        let second: Release

        init(in directory: URL) throws {
            folder = directory.appendingPathComponent("digits")
            slots = try EnsembleSlots(ensemble: "digits", directory: folder, limits: NodeLimits())
            first = try Release(1)
            second = try Release(2, .three, after: first)
            try slots.save(first.document(), combinerText: first.combiner.text, replacing: nil)
            try slots.save(second.document(), combinerText: second.combiner.text, replacing: first.document())
        }

        /// What would be served after a start.
        var sequence: Int? { slots.load(logger: FollowerFixture.logger)?.manifest.sequence }
        var files: Set<String> { Set((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []) }
        func file(_ name: String) -> URL { folder.appendingPathComponent(name) }
        func combiner(_ release: Release) -> String { "\(release.combiner.digest.hex).txt" }

        /// Flips a bit of the byte at `position`, otherwise of the one in the middle.
        func damage(_ name: String, at position: Int? = nil) throws {
            var bytes = try Data(contentsOf: file(name))
            bytes[position ?? bytes.count / 2] ^= 1
            try bytes.write(to: file(name))
        }
    }

    @Test func keepsTheLastTwoAndNothingElse() async throws {
        try await ScratchDirectory.with { directory in
            let saved = try Saved(in: directory)
            #expect(saved.sequence == 2)
            let third = try Release(3, .otherTwo, after: saved.second)
            try saved.slots.save(
                third.document(), combinerText: third.combiner.text, replacing: saved.second.document())
            #expect(saved.sequence == 3)
            #expect(
                saved.files == ["current", "previous", saved.combiner(saved.second), saved.combiner(third)])
        }
    }

    @Test(arguments: ["current", "combiner"]) func fallsBackToThePreviousSlotWhenTheCurrentIsDamaged(
        _ part: String
    ) async throws {
        try await ScratchDirectory.with { directory in
            let saved = try Saved(in: directory)
            try saved.damage(part == "combiner" ? saved.combiner(saved.second) : part)
            #expect(saved.sequence == 1)
            // The damaged slot must not become the previous one.
            let third = try Release(3, .otherTwo, after: saved.second)
            try saved.slots.save(third.document(), combinerText: third.combiner.text, replacing: saved.first.document())
            try saved.damage("current")
            #expect(saved.sequence == 1)
        }
    }

    @Test func noticesAnyChangedByte() async throws {
        try await ScratchDirectory.with { directory in
            let saved = try Saved(in: directory)
            let count = try Data(contentsOf: saved.file("current")).count
            for position in stride(from: 0, to: count, by: 29) {
                try saved.damage("current", at: position)
                #expect(saved.sequence == 1, "byte \(position)")
                try saved.damage("current", at: position)
            }
            #expect(saved.sequence == 2)
        }
    }

    @Test func replacesADamagedCombinerWhenItIsFetchedAgain() async throws {
        try await ScratchDirectory.with { directory in
            let saved = try Saved(in: directory)
            try saved.damage(saved.combiner(saved.second))
            #expect(saved.slots.combiner(saved.second.combiner.digest) == nil)
            try saved.slots.save(
                saved.second.document(), combinerText: saved.second.combiner.text, replacing: saved.first.document())
            #expect(saved.sequence == 2)
        }
    }

    @Test func servesNothingWhenBothSlotsAreDamaged() async throws {
        try await ScratchDirectory.with { directory in
            let saved = try Saved(in: directory)
            try saved.damage("current")
            try saved.damage("previous")
            #expect(saved.sequence == nil)
        }
    }

    /// Saving the third release is four renames; a crash leaves the first `steps` of them and half of the next file.
    @Test(arguments: 0...2) func aCrashWhileSavingLeavesWhatWasServed(steps: Int) async throws {
        try await ScratchDirectory.with { directory in
            let saved = try Saved(in: directory)
            let third = try Release(3, .otherTwo, after: saved.second)
            let writes = [
                (saved.combiner(third), third.combiner.text),
                ("previous", EnsembleSlots.content(try saved.second.document())),
                ("current", EnsembleSlots.content(try third.document())),
            ]
            for (name, bytes) in writes.prefix(steps) { try Data(bytes).write(to: saved.file(name)) }
            let (name, bytes) = writes[steps]
            try Data(bytes.prefix(bytes.count / 2)).write(to: saved.file(name + DurableFile.unfinishedSuffix))
            #expect(saved.sequence == 2)

            try saved.slots.save(
                third.document(), combinerText: third.combiner.text, replacing: saved.second.document())
            #expect(saved.sequence == 3)
            #expect(
                saved.files == ["current", "previous", saved.combiner(saved.second), saved.combiner(third)])
        }
    }

    @Test func locksTheStateDirectoryAgainstASecondNode() async throws {
        try await ScratchDirectory.with { directory in
            let path = directory.appendingPathComponent("state").path
            var first: StateDirectory? = try StateDirectory(path: path)
            let error = try #require(throws: NodeError.self) { try StateDirectory(path: path) }
            #expect(error.code == .stateDirectoryInUse)
            #expect(error.message.contains(path))
            withExtendedLifetime(first) {}
            first = nil
            _ = try StateDirectory(path: path)
        }
    }

    @Test func saysWhenTheStateDirectoryIsAFile() async throws {
        try await ScratchDirectory.with { directory in
            let path = directory.appendingPathComponent("state").path
            try Data().write(to: URL(fileURLWithPath: path))
            let error = try #require(throws: NodeError.self) { try StateDirectory(path: path) }
            #expect(error.code == .stateDirectoryUnusable)
        }
    }
}

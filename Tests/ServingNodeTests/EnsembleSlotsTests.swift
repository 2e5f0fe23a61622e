import EnsembleModel
import Foundation
import Logging
import RegistryTesting
import Synchronization
import Testing

@testable import ServingNode

@Suite struct EnsembleSlotsTests {
    /// Two releases saved one after the other.
    private final class Saved: Sendable {
        let folder: URL
        let slots: EnsembleSlots
        let first: Slot
        let second: Slot
        private let repository: Mutex<SignedRepository>

        init(in directory: URL) throws {
            folder = directory.appendingPathComponent("digits")
            slots = try EnsembleSlots(ensemble: "digits", directory: folder, limits: NodeLimits())
            var repository = try SignedRepository()
            let release = try Release(1)
            first = try repository.slot(release)
            second = try repository.slot(Release(2, .three, after: release))
            self.repository = Mutex(repository)
            try save(first, .two, replacing: nil)
            try save(second, .three, replacing: first)
        }

        /// The third release's slot.
        func third() throws -> Slot {
            let second = try Release(2, .three, after: Release(1))
            return try repository.withLock { try $0.slot(Release(3, .otherTwo, after: second)) }
        }

        /// Saves a slot as the follower does, after its combiner.
        func save(_ slot: Slot, _ model: TextModel, replacing served: Slot?) throws {
            if slots.combiner(slot.document.manifest.combiner.sha256) == nil {
                try DurableFile.write(model.bytes, to: file(combiner(slot)))
            }
            try slots.save(slot, replacing: served)
        }

        /// What would be served after a start.
        var sequence: Int? { load()?.ensemble.manifest.sequence }
        func load(pin: Int? = nil) -> EnsembleSlots.Loaded? {
            slots.load(pin: pin, now: SignedRepository.start, logger: FollowerFixture.logger)
        }
        var files: Set<String> { Set((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []) }
        func file(_ name: String) -> URL { folder.appendingPathComponent(name) }
        func combiner(_ slot: Slot) -> String { "\(slot.document.manifest.combiner.sha256.hex).txt" }

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
            let third = try saved.third()
            try saved.save(third, .otherTwo, replacing: saved.second)
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
            let third = try saved.third()
            try saved.save(third, .otherTwo, replacing: saved.first)
            try saved.damage("current")
            #expect(saved.sequence == 1)
        }
    }

    @Test func noticesAnyChangedByte() async throws {
        try await ScratchDirectory.with { directory in
            let saved = try Saved(in: directory)
            let count = try Data(contentsOf: saved.file("current")).count
            for position in stride(from: 0, to: count, by: 101) {
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
            #expect(saved.slots.combiner(saved.second.document.manifest.combiner.sha256) == nil)
            try saved.save(saved.second, .three, replacing: saved.first)
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
            let third = try saved.third()
            let writes = [
                (saved.combiner(third), TextModel.otherTwo.bytes),
                ("previous", DurableFile.sealed(try saved.second.bytes())),
                ("current", DurableFile.sealed(try third.bytes())),
            ]
            for (name, bytes) in writes.prefix(steps) { try Data(bytes).write(to: saved.file(name)) }
            let (name, bytes) = writes[steps]
            try Data(bytes.prefix(bytes.count / 2)).write(to: saved.file(name + DurableFile.unfinishedSuffix))
            #expect(saved.sequence == 2)

            try saved.save(third, .otherTwo, replacing: saved.second)
            #expect(saved.sequence == 3)
            #expect(
                saved.files == ["current", "previous", saved.combiner(saved.second), saved.combiner(third)])
        }
    }

    @Test func aSlotIsBoundToItsSignatures() async throws {
        try await ScratchDirectory.with { directory in
            let saved = try Saved(in: directory)
            func serves(_ slot: Slot) throws -> Int? {
                try DurableFile.writeSealed(slot.bytes(), to: saved.file("current"))
                return saved.sequence
            }
            // Another's metadata, metadata that names another manifest, and a root that did not sign.
            let other = directory.appendingPathComponent("other")
            try DurableFile.makeDirectory(other)
            let stranger = try Saved(in: other)
            var metadata = saved.second.metadata
            metadata.root = stranger.second.metadata.root
            #expect(try serves(Slot(metadata: metadata, document: saved.second.document)) == 1)
            #expect(
                try serves(Slot(metadata: saved.first.metadata, document: saved.second.document)) == 1)
            metadata = saved.second.metadata
            metadata.targets = saved.first.metadata.targets
            #expect(try serves(Slot(metadata: metadata, document: saved.second.document)) == 1)
            let altered = try Release(2, .three, after: Release(1)) { $0.createdAt += 1 }
            #expect(try serves(Slot(metadata: saved.second.metadata, document: altered.document())) == 1)
            #expect(try serves(saved.second) == 2)
        }
    }

    @Test func aPinChoosesThePreviousSlot() async throws {
        try await ScratchDirectory.with { directory in
            let saved = try Saved(in: directory)
            #expect([nil, 1, 2, 3].map { saved.load(pin: $0)?.ensemble.manifest.sequence } == [2, 1, 2, 2])
        }
    }

    @Test func anEarlierVersionsSlotCountsAsEmptyAndSaysSo() async throws {
        try await ScratchDirectory.with { directory in
            let saved = try Saved(in: directory)
            for (name, slot) in [("current", saved.second), ("previous", saved.first)] {
                try DurableFile.writeSealed(slot.document.bytes, to: saved.file(name))
            }
            let log = LogRecorder()
            #expect(saved.slots.load(now: SignedRepository.start, logger: log.logger) == nil)
            #expect(log.entries.count == 2)
            #expect(
                "\(log.entries[0].metadata["reason"] ?? "")".contains("an earlier version of this program wrote it"))
        }
    }

    @Test func theRootFileCountsOnlyUntilSomethingIsTrusted() async throws {
        try await ScratchDirectory.with { directory in
            let saved = try Saved(in: directory)
            func trusted(_ log: LogRecorder = LogRecorder(), root: () throws(NodeError) -> [UInt8]?) throws -> Data {
                try FollowingStart(
                    saved.slots, root: root, pin: nil, now: SignedRepository.start, logger: log.logger
                ).trusted.root
            }
            func unreadable() throws(NodeError) -> [UInt8]? { throw NodeError(.invalidConfiguration, "no such file") }
            let kept = saved.second.metadata.root
            let log = LogRecorder()
            #expect(try trusted(log) { nil } == kept)
            #expect(try trusted(log) { [UInt8](kept) } == kept)
            #expect(log.entries.allSatisfy { $0.level < .warning })
            let stranger = try SignedRepository().newestRoot
            #expect(try trusted(log) { stranger } == kept)
            #expect(try trusted(log, root: unreadable) == kept)
            #expect(log.entries.filter { $0.level >= .warning }.map(\.level) == [.error, .warning])
            for slot in ["current", "previous"] { try saved.damage(slot) }
            #expect(try trusted { stranger } == Data(stranger))
            #expect(throws: NodeError.self) { try trusted { nil } }
            #expect(throws: NodeError.self) { try trusted(root: unreadable) }
            #expect(throws: NodeError.self) { try trusted { Array("{}".utf8) } }
        }
    }

    @Test func makesANodeIDOnceOfWhateverTheHostIsCalled() async throws {
        try await ScratchDirectory.with { directory in
            let state = try StateDirectory(path: directory.path)
            let id = state.nodeID(logger: FollowerFixture.logger)
            #expect(id.wholeMatch(of: /[A-Za-z0-9][A-Za-z0-9-]*-[0-9]{6}/) != nil)
            #expect(state.nodeID(logger: FollowerFixture.logger) == id)
        }
        for (host, start) in [("web-3.example.org", "web-3-"), ("", "node-"), ("ü", "node-"), ("..", "node-")] {
            let id = StateDirectory.newNodeID(host: host)
            #expect(id.hasPrefix(start) && id.count == start.count + 6)
            try Name.check(id, as: "node")
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

extension SignedRepository {
    /// Publishes a release, as a slot.
    mutating func slot(_ release: Release) throws -> Slot {
        let document = try release.document()
        let files = try publish(
            manifest: release.bytes, combiner: release.combiner.text, position: document.position)
        return Slot(metadata: try StoredMetadata(trusted(files)), document: document)
    }
}

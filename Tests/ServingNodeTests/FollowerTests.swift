import EnsembleModel
import Foundation
import Logging
import RegistryAPI
import RegistryTesting
import Synchronization
import Testing
import Trust

@testable import ServingNode

@Suite struct FollowerTests {
    @Test func loadsTheFirstManifestAndThenFetchesOnlyWhatChanged() async throws {
        try await FollowerFixture.with { node in
            #expect(await node.poll() == "failed verify nothing_published")
            #expect(node.report.state == .empty)
            let first = try Release(1)
            try node.publish(first)
            #expect(await node.poll() == "activated 1")
            #expect(node.served.current?.document.digest == first.digest)
            #expect(await node.poll() == "unchanged")
            #expect(node.registry.requests("2.root.json") == 2)
            #expect(node.registry.requests("snapshot.json") == 1)
            #expect(node.registry.requests("targets/") == 2)
            #expect(node.onDisk?.document.bytes == first.bytes)
            // A renewal is new metadata around the same manifest.
            try node.publish(first)
            #expect(await node.poll() == "unchanged")
            #expect(node.registry.requests("targets/") == 2)
            #expect(node.report.versions == .init(root: 1, targets: 2, snapshot: 2, timestamp: 2))
        }
    }

    @Test func warmsAChampionBeforeItIsServed() async throws {
        let warmed = Mutex<[Int]>([])
        try await FollowerFixture.with({ settings in
            settings.warm = { new in warmed.withLock { $0.append(new.manifest.sequence) } }
        }) { node in
            let first = try Release(1)
            for release in [first, try Release(2, .three, after: first)] {
                try node.publish(release)
                #expect(await node.poll() == "activated \(release.manifest.sequence)")
            }
        }
        #expect(warmed.withLock { $0 } == [1, 2])
    }

    @Test func takesPromotionsAndAPublishedRollbackWithoutANewDownload() async throws {
        try await FollowerFixture.with { node in
            let first = try Release(1)
            let second = try Release(2, .three, after: first)
            let third = try Release(3, .two, after: second)
            for release in [first, second, third] {
                try node.publish(release)
                #expect(await node.poll() == "activated \(release.manifest.sequence)")
                #expect(node.served.current?.manifest == release.manifest)
                #expect(node.onDisk?.document.digest == release.digest)
            }
            #expect(third.manifest.contentID == first.manifest.contentID)
            #expect(node.registry.requests("combiner.txt") == 2)
        }
    }

    @Test(.timeLimit(.minutes(1))) func aHeldAnswerComesWithTheNextManifest() async throws {
        try await FollowerFixture.with {
            $0.wait = .seconds(60)
        } _: { node in
            let first = try Release(1)
            try node.publish(first)
            #expect(await node.poll() == "activated 1")
            async let next = node.poll()
            while node.registry.requests("after=1.1") == 0 {
                try Task.checkCancellation()
                await Task.yield()
            }
            try node.publish(Release(2, .three, after: first))
            #expect(await next == "activated 2")
            #expect(node.registry.requests("after=") == 1)
        }
    }

    @Test func aRestoredRegistryMayCountAgainInAHigherGeneration() async throws {
        try await FollowerFixture.with { node in
            let fifth = try Release(5)
            try node.publish(fifth)
            #expect(await node.poll() == "activated 5")
            try node.publish(Release(4, .three, generation: 2, after: fifth))
            #expect(await node.poll() == "activated 4")
        }
    }

    @Test func aRegistryThatLostManifestsIsNotFollowedBack() async throws {
        try await FollowerFixture.with { node in
            try node.publish(Release(2))
            #expect(await node.poll() == "activated 2")
            node.registry.change { $0.problem = Problem(.conflict, detail: "this registry is at 1.1") }
            #expect(await node.poll() == "failed verify rollback")
            #expect(node.report.refusal?.message.contains("registry recover") == true)
            #expect(node.served.current?.manifest.sequence == 2)
            node.registry.change { $0.problem = nil }
            #expect(await node.poll() == "unchanged")
            #expect(node.report.refusal == nil)
        }
    }

    @Test(arguments: [
        (ProblemCode.unauthenticated, "token_refused", "--scope node"), (.forbidden, "token_refused", "--token-file"),
        (.ensembleNotFound, "unknown_ensemble", "--ensemble"), (.internalError, "registry_unavailable", "It broke."),
    ])
    func tellsAFaultOnceWhenItBeginsAndOnceWhenItEnds(problem: ProblemCode, code: String, says: String) async throws {
        let log = LogRecorder()
        try await FollowerFixture.with(logger: log.logger) { node in
            try node.publish(Release(1))
            #expect(await node.poll() == "activated 1")
            node.registry.change { $0.problem = Problem(problem, detail: "It broke.") }
            for _ in 1...3 { #expect(await node.poll() == "failed verify \(code)") }
            // A registry that does not answer refuses nothing.
            #expect(node.report.refusal == nil)
            node.registry.change { $0.problem = nil }
            for _ in 1...2 { #expect(await node.poll() == "unchanged") }
        }
        let lines = log.entries.filter { ["Could not follow", "Following again"].contains($0.message) }
        try #require(lines.map(\.message) == ["Could not follow", "Following again"])
        #expect(lines[0].metadata["code"] == "\(code)")
        #expect("\(lines[0].metadata["reason"] ?? "")".contains(says))
        #expect(lines[1].metadata["after"] == "\(code)")
    }

    @Test func aFaultThatGoesOnIsToldNowAndThen() {
        var faults = FaultSeries(interval: .seconds(300))
        let start = ContinuousClock.now
        func tells(_ code: String, _ seconds: Int) -> Bool {
            faults.shouldLog(code, at: start + .seconds(seconds))
        }
        #expect(tells("token_refused", 0))
        #expect(!tells("token_refused", 299))
        #expect(tells("token_refused", 300))
        #expect(!tells("token_refused", 599))
        #expect(tells("registry_unavailable", 599))
        #expect(faults.end() == "registry_unavailable")
        #expect(faults.end() == nil)
        #expect(tells("registry_unavailable", 600))
    }

    @Test func aRefusedManifestIsNotFetchedAgainAlsoAfterARestart() async throws {
        try await FollowerFixture.with { node in
            let first = try Release(1)
            try node.publish(first)
            #expect(await node.poll() == "activated 1")
            let bad = try Release(2, .three, after: first) { $0.golden.rawScores[0][0] = "0000000000000000" }
            try node.publish(bad)
            #expect(await node.poll() == "refused load invalid_combiner")
            let fetched = node.registry.requests("targets/")
            #expect(await node.poll() == "unchanged refused")
            try node.publish(bad)
            #expect(await node.poll() == "unchanged refused")
            #expect(node.report.attempted == bad.digest)
            #expect(node.report.refusal?.stage == .load)
            #expect(node.report.running?.sequence == 1)
            // It is signed, so what is trusted goes on: the node is not stale.
            #expect(node.report.versions.timestamp == 3)

            let again = try node.restarted()
            #expect(again.report.refusal == node.report.refusal)
            #expect(await again.poll() == "unchanged refused")
            #expect(node.registry.requests("targets/") == fetched)
            try DurableFile.writeSealed(
                JSONEncoder().encode(
                    RefusedManifest(
                        digest: bad.digest, program: "0.0.1", refusal: try #require(node.report.refusal))
                ).map { $0 }, to: node.folder.appendingPathComponent("refused"))
            #expect(await (try node.restarted()).poll() == "refused load invalid_combiner")

            try node.publish(Release(3, .two, after: bad))
            #expect(await again.poll() == "activated 3")
            #expect(again.report.refusal == nil)
        }
    }

    @Test(arguments: [["0"], []]) func refusesGoldenRowsThatAreNone(_ row: [String]) async throws {
        try await FollowerFixture.with { node in
            try node.publish(Release(1) { $0.golden.inputs[0] = row })
            #expect(await node.poll() == "refused load invalid_manifest")
            #expect(node.onDisk == nil)
        }
    }

    @Test func warmsBeforeItSwitches() async throws {
        let failing = LockedFlag()
        try await FollowerFixture.with { settings in
            settings.warm = { new in
                #expect(new.manifest.sequence > 0)
                if failing.isSet { throw MalformedFixture("a member is away") }
            }
        } _: { node in
            let first = try Release(1)
            try node.publish(first)
            #expect(await node.poll() == "activated 1")
            failing.set(true)
            try node.publish(Release(2, .three, after: first))
            #expect(await node.poll().hasPrefix("failed warm"))
            #expect(node.report.refusal?.stage == .warm)
            #expect(node.served.current?.manifest.sequence == 1)
            #expect(node.onDisk?.manifest.sequence == 1)
            failing.set(false)
            #expect(await node.poll() == "activated 2")
        }
    }

    @Test(.timeLimit(.minutes(1))) func aStagedRollOutReachesThisNodeWithItsCohort() async throws {
        try await FollowerFixture.with {
            $0.wait = .seconds(60)
        } _: { node in
            let first = try Release(1)
            // Nothing is served yet: any manifest is better.
            try node.publish(first, rollout: 0)
            #expect(await node.poll() == "activated 1")
            let second = try Release(2, .three, after: first)
            let cohort = Rollout.cohort(node: "n", sequence: 2)
            try node.publish(second, rollout: cohort)
            #expect(await node.poll() == "unchanged notYet")
            #expect(node.registry.requests("targets/") == 2)
            #expect(node.report.running?.sequence == 1)
            #expect(node.report.refusal == nil)
            #expect(node.report.versions.timestamp == 2)
            // It waits for a larger share, and says which it knows.
            async let next = node.poll()
            while node.registry.requests("?after=1.2&rollout=\(cohort)") == 0 {
                try Task.checkCancellation()
                await Task.yield()
            }
            try node.publish(second, rollout: cohort + 1)
            #expect(await next == "activated 2")
            // A halt takes nothing back. Who serves it waits for another manifest only.
            async let last = node.poll()
            while !node.registry.state.requests.contains("metadata/timestamp.json?after=1.2") {
                try Task.checkCancellation()
                await Task.yield()
            }
            try node.publish(second, rollout: 0)
            node.registry.change { $0.position = nil }
            #expect(await last == "unchanged")
        }
    }

    @Test func aPinnedNodeStaysAndStillChecksWhatIsSigned() async throws {
        try await FollowerFixture.with { node in
            let first = try Release(1)
            let second = try Release(2, .three, after: first)
            let third = try Release(3, .otherTwo, after: second)
            for release in [first, second] {
                try node.publish(release)
                #expect(await node.poll() == "activated \(release.manifest.sequence)")
            }
            let pinned = try node.restarted { $0.pin = 1 }
            #expect(pinned.served.current?.manifest.sequence == 1)
            #expect(await pinned.poll() == "unchanged pinned")
            try node.publish(third)
            #expect(await pinned.poll() == "unchanged pinned")
            #expect(pinned.report.state == .pinned)
            #expect(pinned.report.versions.timestamp == 3)
            let free = try node.restarted()
            #expect(free.served.current?.manifest.sequence == 2)
            #expect(await free.poll() == "activated 3")
            // A manifest that is not here any more cannot be stayed at.
            let lost = try node.restarted { $0.pin = 1 }
            #expect(lost.report.state == .serving)
            #expect(lost.report.running?.sequence == 3)
        }
    }

    @Test(arguments: ["SHA.txt", "trusted", "current", "previous"])
    func servesOnWhileTheDiskIsFull(file: String) async throws {
        try await FollowerFixture.with { node in
            let first = try Release(1)
            let second = try Release(2, .three, after: first)
            try node.publish(first)
            #expect(await node.poll() == "activated 1")
            try node.fillDisk(under: file == "SHA.txt" ? "\(second.combiner.digest).txt" : file)
            try node.publish(second)
            #expect(await node.poll() == "failed download disk_full")
            #expect(node.report.refusal?.stage == .download)
            #expect(node.report.attempted == second.digest)
            #expect(node.report.running?.sequence == 1)
            #expect(node.served.current?.document.digest == first.digest)
            #expect(node.onDisk?.document.digest == first.digest)
            #expect(await node.poll() == "activated 2")
            #expect(node.report.refusal == nil)
            #expect(try node.restarted().served.current?.document.digest == second.digest)
        }
    }

    @Test func aBrokenCurrentSlotIsFetchedAgain() async throws {
        try await FollowerFixture.with { node in
            let first = try Release(1)
            let second = try Release(2, .three, after: first)
            for release in [first, second] {
                try node.publish(release)
                #expect(await node.poll() == "activated \(release.manifest.sequence)")
            }
            try Data("torn".utf8).write(to: node.folder.appendingPathComponent("current"))
            let previous = try node.restarted()
            #expect(previous.served.current?.manifest.sequence == 1)
            #expect(await previous.poll() == "activated 2")

            for slot in ["current", "previous"] {
                try Data("torn".utf8).write(to: node.folder.appendingPathComponent(slot))
            }
            let log = LogRecorder()
            let empty = try node.restarted(logger: log.logger)
            #expect(empty.report.state == .empty)
            #expect(log.entries.map(\.message) == ["Slot is not usable", "Slot is not usable", "Nothing to serve yet"])
            #expect(await empty.poll() == "activated 2")
        }
    }

    @Test func aRenewalIsKeptToo() async throws {
        try await FollowerFixture.with { node in
            try node.publish(Release(1))
            #expect(await node.poll() == "activated 1")
            let old = node.registry.state.files
            try node.publish(Release(1))
            #expect(await node.poll() == "unchanged")
            node.registry.change { $0.files.merge(old) { $1 } }
            #expect(await (try node.restarted()).poll() == "failed verify rollback")
        }
    }

    @Test func whatIsTrustedOutlivesItsFile() async throws {
        try await FollowerFixture.with { node in
            try node.publish(Release(1))
            #expect(await node.poll() == "activated 1")
            let old = node.registry.state.files
            try node.publish(Release(2, .three, after: Release(1)))
            #expect(await node.poll() == "activated 2")
            try Data("torn".utf8).write(to: node.folder.appendingPathComponent("trusted"))
            let restarted = try node.restarted()
            #expect(restarted.report.versions.timestamp == 2)
            node.registry.change { $0.files.merge(old) { $1 } }
            #expect(await restarted.poll() == "failed verify rollback")
        }
    }
}

/// Something that tests switch while closures look at it.
final class LockedFlag: Sendable {
    private let value = Mutex(false)

    var isSet: Bool { value.withLock { $0 } }
    func set(_ new: Bool) { value.withLock { $0 = new } }
}

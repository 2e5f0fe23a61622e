import EnsembleModel
import Foundation
import Logging
import RegistryAPI
import RegistryTesting
import Synchronization
import Testing

@testable import ServingNode

@Suite struct FollowerTests {
    @Test func loadsTheFirstManifestAndThenAsksOnlyWhetherItChanged() async throws {
        try await FollowerFixture.with { node in
            #expect(await node.follower.poll().summary == "failed nothing_published")
            let first = try Release(1)
            node.registry.publish(first)
            #expect(await node.follower.poll().summary == "activated 1")
            #expect(node.served.current?.document.digest == first.digest)
            #expect(await node.follower.poll().summary == "unchanged")
            #expect(node.registry.state.manifestAnswers == [404, 200, 304])
            #expect(node.registry.state.combinerRequests == 1)
            #expect(node.onDisk?.document.bytes == first.bytes)
        }
    }

    @Test func warmsAChampionBeforeItIsServed() async throws {
        let warmed = Mutex<[Int]>([])
        try await FollowerFixture.with(warm: { new in warmed.withLock { $0.append(new.manifest.sequence) } }) { node in
            let first = try Release(1)
            for release in [first, try Release(2, .three, after: first)] {
                node.registry.publish(release)
                #expect(await node.follower.poll().summary == "activated \(release.manifest.sequence)")
                #expect(await node.follower.poll().summary == "unchanged")
            }
            node.registry.publish(first)
            #expect(await node.follower.poll().summary == "refused rollback")
        }
        #expect(warmed.withLock { $0 } == [1, 2])
    }

    @Test func takesPromotionsAndAPublishedRollbackWithoutANewDownload() async throws {
        try await FollowerFixture.with { node in
            let first = try Release(1)
            let second = try Release(2, .three, after: first)
            let third = try Release(3, .two, after: second)
            for release in [first, second, third] {
                node.registry.publish(release)
                #expect(await node.follower.poll().summary == "activated \(release.manifest.sequence)")
                #expect(node.served.current?.manifest == release.manifest)
                #expect(node.onDisk?.document.digest == release.digest)
            }
            #expect(third.manifest.contentID == first.manifest.contentID)
            #expect(node.registry.state.combinerRequests == 2)
        }
    }

    @Test func refusesAnOlderManifestOnceAndGoesOnWhenTheRegistryDoes() async throws {
        try await FollowerFixture.with { node in
            let first = try Release(1)
            let second = try Release(2, .three, after: first)
            node.registry.publish(second)
            #expect(await node.follower.poll().summary == "activated 2")
            node.registry.publish(first)
            #expect(await node.follower.poll().summary == "refused rollback")
            #expect(await node.follower.poll().summary == "unchanged")
            #expect(node.registry.state.manifestAnswers == [200, 200, 304])
            #expect(node.served.current?.document.digest == second.digest)
            #expect(node.onDisk?.document.digest == second.digest)
            node.registry.publish(second)
            #expect(await node.follower.poll().summary == "unchanged")
            node.registry.publish(try Release(3, .two, after: second))
            #expect(await node.follower.poll().summary == "activated 3")
        }
    }

    @Test func aRestoredRegistryMayCountAgainInAHigherGeneration() async throws {
        try await FollowerFixture.with { node in
            let fifth = try Release(5)
            node.registry.publish(fifth)
            #expect(await node.follower.poll().summary == "activated 5")
            node.registry.publish(try Release(4, .three, generation: 2, after: fifth))
            #expect(await node.follower.poll().summary == "activated 4")
        }
    }

    @Test func refusesASecondManifestOfTheSameNumberAndAForkedHistory() async throws {
        try await FollowerFixture.with { node in
            let first = try Release(1)
            node.registry.publish(first)
            #expect(await node.follower.poll().summary == "activated 1")
            let other = try Release(1, .three)
            node.registry.publish(other)
            #expect(await node.follower.poll().summary == "refused equivocation")
            node.registry.publish(try Release(2, .three, after: other))
            #expect(await node.follower.poll().summary == "refused equivocation")
            #expect(node.served.current?.document.digest == first.digest)
        }
    }

    @Test func goesOnServingWhileTheCombinerOfANewManifestIsNotTheOneAnnounced() async throws {
        try await FollowerFixture.with { node in
            let first = try Release(1)
            let second = try Release(2, .three, after: first)
            node.registry.publish(first)
            #expect(await node.follower.poll().summary == "activated 1")
            node.registry.publish(second)
            node.registry.change { $0.combiners[second.combiner.digest] = TextModel.otherTwo.bytes }
            #expect(await node.follower.poll().summary == "failed registry_unavailable")
            #expect(node.served.current?.document.digest == first.digest)
            #expect(node.onDisk?.document.digest == first.digest)
            // A torn download is not the manifest's fault: it is tried again.
            node.registry.publish(second)
            #expect(await node.follower.poll().summary == "activated 2")
        }
    }

    @Test func failsOnAManifestThatIsNotTheOneAnnounced() async throws {
        try await FollowerFixture.with { node in
            node.registry.publish(try Release(1))
            node.registry.change { $0.tag = .of("something else") }
            #expect(await node.follower.poll().summary == "failed registry_unavailable")
            #expect(node.served.current == nil)
        }
    }

    @Test(arguments: [
        (ProblemCode.unauthenticated, "token_refused", "--scope node"), (.forbidden, "token_refused", "--token-file"),
        (.ensembleNotFound, "unknown_ensemble", "--ensemble"), (.internalError, "registry_unavailable", "It broke."),
    ])
    func tellsAFaultOnceWhenItBeginsAndOnceWhenItEnds(problem: ProblemCode, code: String, says: String) async throws {
        let log = LogRecorder()
        try await FollowerFixture.with(logger: log.logger) { node in
            node.registry.publish(try Release(1))
            #expect(await node.follower.poll().summary == "activated 1")
            node.registry.change { $0.problem = Problem(problem, detail: "It broke.") }
            for _ in 1...3 { #expect(await node.follower.poll().summary == "failed \(code)") }
            node.registry.change { $0.problem = nil }
            for _ in 1...2 { #expect(await node.follower.poll().summary == "unchanged") }
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
        func tells(_ code: NodeError.Code, _ seconds: Int) -> Bool {
            faults.shouldLog(code, at: start + .seconds(seconds))
        }
        #expect(tells(.tokenRefused, 0))
        #expect(!tells(.tokenRefused, 299))
        #expect(tells(.tokenRefused, 300))
        #expect(!tells(.tokenRefused, 599))
        #expect(tells(.registryUnavailable, 599))
        #expect(faults.end() == .registryUnavailable)
        #expect(faults.end() == nil)
        #expect(tells(.registryUnavailable, 600))
    }

    @Test(arguments: [["0"], []]) func refusesGoldenRowsThatAreNone(_ row: [String]) async throws {
        try await FollowerFixture.with { node in
            node.registry.publish(try Release(1) { $0.golden.inputs[0] = row })
            #expect(await node.follower.poll().summary == "refused invalid_manifest")
        }
    }

    @Test func refusesACombinerThatItsManifestDoesNotDescribe() async throws {
        var reference = Manifest.CombinerReference(TextModel.two.combiner)
        reference.trees = 6
        let wrongTrees = try Release(1, combiner: reference)
        reference = Manifest.CombinerReference(TextModel.two.combiner)
        reference.bytes += 1
        let wrongLength = try Release(1, combiner: reference)
        let wrongClasses = try Release(1, classes: ["cat", "dog"])
        let junk = Array("tree\nversion=v4\n".utf8)
        let notAModel = try Release(
            1, combiner: Manifest.CombinerReference(sha256: .of(junk), bytes: junk.count, trees: 3))
        let wrongScores = try Release(1) { $0.golden.rawScores[0] = $0.golden.rawScores[1] }
        try await FollowerFixture.with { node in
            for release in [wrongTrees, wrongLength, wrongClasses, notAModel, wrongScores] {
                node.registry.publish(release)
                node.registry.change { $0.combiners[.of(junk)] = junk }
                #expect(await node.follower.poll().summary == "refused invalid_combiner")
                #expect(await node.follower.poll().summary == "unchanged")
                #expect(node.onDisk == nil)
            }
        }
    }
}

import EnsembleModel
import Foundation
import RegistryStore
import Testing
import Trust

@testable import RegistryServer

/// Who is answered when, without a clock and without a database.
@Suite struct HeldPollsTests {
    private typealias Polls = HeldPolls<String>

    private let start = ContinuousClock.now
    private func after(_ seconds: Int) -> ContinuousClock.Instant { start + .seconds(seconds) }

    private func head(
        _ sequence: Int, of ensemble: String = "pets", version: Int = 1, rollout: Int? = nil
    ) -> RegistryStore.MetadataHead {
        .init(
            champion: ChampionNumber(ensemble: ensemble, generation: 1, sequence: sequence),
            timestamp: SignedMetadata(version: version, bytes: [UInt8(version)], signedAt: Date()), rollout: rollout)
    }

    private func manifest(_ sequence: Int, rollout: Int? = nil) -> KnownHead {
        KnownHead(ManifestPosition(generation: 1, sequence: sequence), rollout: rollout)
    }

    /// Polls that know manifest 1 of `pets`.
    private func known() -> Polls {
        var polls = Polls(interest: .seconds(60))
        _ = polls.ask("pets", after: nil, until: nil, at: start, "first")
        #expect(polls.look(at: ["pets"], found: [head(1)], now: start).map(\.0) == ["first"])
        return polls
    }

    private func isHeld(_ admission: Polls.Admission, needsLook: Bool) -> Bool {
        if case .held(_, needsLook) = admission { true } else { false }
    }

    private func sequence(_ admission: Polls.Admission) -> Int? {
        if case .answer(let head) = admission { head?.head.champion.sequence } else { nil }
    }

    @Test func whoAsksFirstNeedsALook() {
        var polls = Polls(interest: .seconds(60))
        #expect(isHeld(polls.ask("pets", after: nil, until: nil, at: start, "a"), needsLook: true))
        #expect(polls.names(at: start) == ["pets"])
        // Nothing is published: that is an answer too.
        let answers = polls.look(at: ["pets"], found: [], now: start)
        #expect(answers.map(\.0) == ["a"] && answers.allSatisfy { $0.1 == nil })
    }

    @Test func aPollWaitsForNewsOrItsDeadline() {
        var polls = known()
        for (poll, seconds) in [("short", 10), ("long", 40)] {
            #expect(
                isHeld(polls.ask("pets", after: manifest(1), until: after(seconds), at: start, poll), needsLook: false))
        }
        // A renewal is no news.
        #expect(polls.look(at: ["pets"], found: [head(1, version: 2)], now: after(9)).isEmpty)
        let late = polls.look(at: ["pets"], found: [head(1, version: 2)], now: after(10))
        #expect(late.map(\.0) == ["short"] && late[0].1?.head.timestamp.version == 2)
        let news = polls.look(at: ["pets"], found: [head(2, version: 3)], now: after(11))
        #expect(news.map(\.0) == ["long"] && news[0].1?.head.champion.sequence == 2)
        #expect(polls.count == 0)
    }

    /// A node that a rollout has not reached hears of its next stage, others do not.
    @Test func anotherShareIsNewsToThoseThatWaitForIt() {
        var polls = known()
        _ = polls.look(at: ["pets"], found: [head(2, version: 2, rollout: 100)], now: start)
        for (poll, share) in [("reached", nil), ("waits", 100), ("late", 1)] as [(String, Int?)] {
            let admission = polls.ask("pets", after: manifest(2, rollout: share), until: after(60), at: start, poll)
            #expect(sequence(admission) == (poll == "late" ? 2 : nil))
        }
        #expect(polls.look(at: ["pets"], found: [head(2, version: 3, rollout: 100)], now: start).isEmpty)
        #expect(
            polls.look(at: ["pets"], found: [head(2, version: 4, rollout: 1000)], now: start).map(\.0) == ["waits"])
        let held = polls.ask("pets", after: manifest(2, rollout: 1000), until: after(60), at: start, "all")
        #expect(isHeld(held, needsLook: false))
        #expect(polls.look(at: ["pets"], found: [head(2, version: 5)], now: start).map(\.0) == ["all"])
        #expect(polls.drain().map(\.0) == ["reached"])
    }

    @Test func whatIsKnownAnswersAtOnce() {
        var polls = known()
        #expect(sequence(polls.ask("pets", after: nil, until: nil, at: start, "plain")) == 1)
        #expect(sequence(polls.ask("pets", after: manifest(0), until: after(60), at: start, "old")) == 1)
        // As after a restored backup: whoever is ahead must hear of it.
        #expect(sequence(polls.ask("pets", after: manifest(9), until: after(60), at: start, "ahead")) == 1)
    }

    @Test func ensemblesDoNotAnswerForEachOther() {
        var polls = known()
        _ = polls.ask("pets", after: manifest(1), until: after(60), at: start, "pets")
        _ = polls.ask("cars", after: nil, until: nil, at: start, "cars")
        #expect(
            polls.look(at: ["cars", "pets"], found: [head(1), head(7, of: "cars")], now: start).map(\.0) == ["cars"])
    }

    @Test func whatNobodyAsksForIsForgotten() {
        var polls = known()
        #expect(polls.names(at: after(60)) == ["pets"])
        #expect(polls.names(at: after(61)).isEmpty)
        #expect(isHeld(polls.ask("pets", after: nil, until: nil, at: after(62), "again"), needsLook: true))
        // A held poll is interest, however long ago it came.
        #expect(polls.names(at: after(1000)) == ["pets"])
    }

    @Test func withoutTheDatabaseDeadlinesHoldAllTheSame() {
        var polls = known()
        _ = polls.ask("pets", after: manifest(1), until: after(10), at: start, "poll")
        _ = polls.ask("cars", after: nil, until: nil, at: after(9), "cars")
        let early = polls.expire(at: after(9))
        #expect(early.answers.isEmpty && early.unanswerable == ["cars"])
        #expect(polls.expire(at: after(10)).answers.map(\.0) == ["poll"])
        #expect(polls.count == 0)
    }

    @Test func whoIsGoneIsNotAnswered() throws {
        var polls = known()
        let admission = polls.ask("pets", after: manifest(1), until: after(10), at: start, "gone")
        guard case .held(let id, _) = admission else {
            Issue.record("it was answered")
            return
        }
        _ = polls.ask("pets", after: manifest(1), until: after(10), at: start, "there")
        #expect(polls.abandon(id, of: "pets") == "gone")
        #expect(polls.abandon(id, of: "pets") == nil)
        #expect(polls.drain().map(\.0) == ["there"])
        #expect(polls.drain().isEmpty && polls.count == 0)
    }
}

import EnsembleModel
import Foundation
import Logging
import RegistryTesting
import Testing

@testable import ServingNode

/// What is kept for rows with a key, and what is computed before a new champion is served.
@Suite struct RowCacheTests {
    private let task: GroupedTask

    init() throws { task = try GroupedTask.shared.get() }

    /// The champions 1, 2, ...: from the second on `minilm` is of another version each time.
    private static func champions(
        _ task: GroupedTask, _ count: Int, _ columns: Policy.Columns, at address: String, query: String = ""
    ) throws -> [Release] {
        var releases: [Release] = []
        for sequence in 1...count {
            try releases.append(
                task.release(sequence, columns, after: releases.last) { manifest in
                    manifest.members[1].version = "\(sequence)"
                    try manifest.callMembers(at: address + query)
                })
        }
        return releases
    }

    private func with(
        _ columns: Policy.Columns = .probability, champions count: Int = 2, query: String = "",
        options: ServingOptions = ServingOptions(), limits: NodeLimits = NodeLimits(),
        logger: Logger = FollowerFixture.logger,
        _ body: @escaping @Sendable (ServingFixture, MemberServer, [LoadedEnsemble]) async throws -> Void
    ) async throws {
        let task = task
        let tables = ["knn": task.members[0], "minilm": task.members[1]]
        try await MemberServer.with(tables) { server, address in
            let champions = try Self.champions(task, count, columns, at: address, query: query).map { try $0.loaded() }
            let served = ServedEnsemble(name: "digits", loaded: champions.first)
            try await ServingFixture.with(served, limits: limits, options: options, logger: logger) { node in
                try await body(node, server, champions)
            }
        }
    }

    @Test func whatIsKnownIsNotAskedAgain() async throws {
        try await with { node, server, _ in
            let first = try await node.ask([5, 6], keys: ["a", "b"])
            let second = try await node.ask([6, 7, 5], keys: ["b", "c", "a"])
            #expect(Array(second.probabilities[0..<3]) == Array(first.probabilities[3..<6]))
            #expect(Array(second.probabilities[6..<9]) == Array(first.probabilities[0..<3]))
            #expect([second.labels[2], second.labels[0]] == first.labels)
            #expect(server.calls("knn").map(\.rows) == [[5, 6], [7]])
            let figures = try #require(node.caches.labels).figures
            #expect(figures.hits == 2 && figures.misses == 3 && figures.entries == 3)
        }
    }

    @Test func rowsWithoutAKeyAreNotKept() async throws {
        try await with { node, server, _ in
            for _ in 0..<2 { _ = try await node.ask([5]) }
            #expect(server.calls("knn").count == 2)
            #expect(node.caches.outputs?.figures.entries == 0 && node.caches.labels?.figures.entries == 0)
        }
    }

    @Test func aPromotionThatSwapsOneMemberAsksOnlyThatOne() async throws {
        try await with { node, server, champions in
            let before = try await node.ask([5, 6], keys: ["a", "b"])
            node.serving.served.activate(champions[1])
            let after = try await node.ask([5, 6], keys: ["a", "b"])
            #expect(before.parameters.contentID != after.parameters.contentID)
            #expect(server.calls("knn").count == 1 && server.calls("minilm").count == 2)
            // Back to the old content: its labels still hold.
            node.serving.served.activate(champions[0])
            let answer1 = try await node.ask([5, 6], keys: ["a", "b"]).probabilities
            #expect(answer1 == before.probabilities)
            #expect(server.calls("minilm").count == 2)
        }
    }

    @Test func aLabelHoldsForOneCompositionOfTheGroupAndOutputsForAll() async throws {
        let task = task
        try await with(.probabilityAndGroup) { node, server, champions in
            func expected(_ rows: [Int]) throws -> [Double] {
                try champions[0].probabilities(task.members(rows), groups: rows.map { _ in "q" })
            }
            let pair = try await node.ask([5, 6], keys: ["a", "b"], groups: ["q", "q"])
            #expect(pair.probabilities == (try expected([5, 6])))
            let three = try await node.ask([5, 6, 7], keys: ["a", "b", "c"], groups: ["q", "q", "q"])
            #expect(three.probabilities == (try expected([5, 6, 7])))
            #expect(Array(three.probabilities[0..<6]) != pair.probabilities)
            #expect(server.calls("knn").map(\.rows) == [[5, 6], [7]])
            let hits = node.caches.labels?.figures.hits
            // In another order, under another name it is the same group.
            let again = try await node.ask([6, 5], keys: ["b", "a"], groups: ["z", "z"])
            #expect(again.probabilities == Array(pair.probabilities[3..<6] + pair.probabilities[0..<3]))
            #expect(node.caches.labels?.figures.hits == (hits ?? 0) + 2)
            // Two groups with the same keys in other parts are others.
            let split = try await node.ask([5, 6], keys: ["a", "b"], groups: ["q", "r"])
            #expect(split.probabilities == (try champions[0].probabilities(task.members([5, 6]), groups: ["q", "r"])))
        }
    }

    @Test func aGroupOfWhichOneRowIsKnownIsComputedWhole() async throws {
        let task = task
        try await with(.probabilityAndGroup) { node, server, champions in
            // As when the other row's label had to leave the cache; this one would not do for its mean.
            let group = RowCaches.compositions(keys: ["a", "b"], groups: ["q", "q"])[0]
            let key = RowCaches.LabelKey(contentID: champions[0].manifest.contentID, key: "a", group: group)
            node.caches.labels?.insert([1, 0, 0], for: key, bytes: key.bytes(classCount: 3))
            let pair = try await node.ask([5, 6], keys: ["a", "b"], groups: ["q", "q"])
            #expect(node.caches.labels?.figures.hits == 1)
            #expect(pair.probabilities == (try champions[0].probabilities(task.members([5, 6]), groups: ["q", "q"])))
            #expect(server.calls("knn").map(\.rows) == [[5, 6]])
        }
    }

    @Test func compositionsAreOfKeysNotOfTheirText() {
        let joined = RowCaches.compositions(keys: ["a", "b", "ab", ""], groups: ["1", "1", "2", "2"])
        #expect(Set(joined).count == 2)
        let other = RowCaches.compositions(keys: ["b", "a", "a"], groups: ["x", "x", "y"])
        #expect(other[0] == joined[0] && other[1] == joined[0] && other[2] != joined[0])
    }

    @Test func whatARequestBringsItselfIsNeitherTakenNorKept() async throws {
        let task = task
        try await with { node, server, champions in
            let wrong = InferenceBody(members: [task.members([9])[0]], groups: nil).inputs
            let brought = try await node.ask([5], keys: ["a"], given: wrong)
            let mixed = [task.members([9])[0], task.members([5])[1]]
            #expect(brought.probabilities == (try champions[0].probabilities(mixed, groups: [String]?.none)))
            let whole = try await node.ask([5], keys: ["a"])
            #expect(whole.probabilities == (try champions[0].probabilities(task.members([5]), groups: [String]?.none)))
            let answer2 = try await node.ask([5], keys: ["a"], given: wrong).probabilities
            #expect(answer2 == brought.probabilities)
            #expect(server.calls("knn").count == 1 && server.calls("minilm").count == 1)
        }
    }

    @Test func cachesCanBeTurnedOff() async throws {
        try await with(options: ServingOptions(labelCacheBytes: 0, outputCacheBytes: 0)) { node, server, _ in
            for _ in 0..<2 { _ = try await node.ask([5], keys: ["a"]) }
            #expect(server.calls("knn").count == 2)
        }
    }

    @Test func manyRowsAreAskedForInSeveralCalls() async throws {
        let task = task
        try await with { node, server, champions in
            let rows = (0..<700).map { $0 % 300 }
            let answer = try await node.ask(rows)
            #expect(
                answer.probabilities == (try champions[0].probabilities(task.members(rows), groups: [String]?.none)))
            #expect(server.calls("knn").map(\.rows.count).sorted() == [188, 256, 256])
        }
    }

    @Test func frequentRowsAreComputedBeforeANewMemberServes() async throws {
        try await with(query: "?precompute=true") { node, server, champions in
            let rows = [[5, 6], [7]]
            for _ in 0..<3 { for rows in rows { _ = try await node.ask(rows, keys: rows.map { "k\($0)" }) } }
            _ = try await node.ask([8])
            #expect(server.calls("minilm").count == 3)
            await node.serving.warm(champions[1])
            #expect(server.calls("knn").count == 3)
            #expect(server.calls("minilm").count == 4)
            #expect(server.calls("minilm").last?.rows.sorted() == [5, 6, 7])
            let ahead = server.calls("minilm", "precompute")
            #expect(ahead.map { $0.keys.sorted() } == [["k5", "k6", "k7"]] && ahead.first?.rows.count == 3)
            #expect(server.calls("knn", "precompute").isEmpty)
            node.serving.served.activate(champions[1])
            let answer = try await node.ask([7, 5], keys: ["k7", "k5"])
            #expect(answer.parameters.sequence == 2 && answer.parameters.membersMissing == "")
            #expect(server.calls("minilm").count == 4)
            #expect(node.serving.metrics.warmups.counts == ["ok": 1])
            #expect(node.serving.metrics.warmedRows.counts == ["rows": 3])
        }
    }

    @Test func aNewMemberThatDoesNotAnswerDoesNotHoldTheChampionUp() async throws {
        var limits = NodeLimits()
        limits.warming = .milliseconds(100)
        let recorder = LogRecorder()
        let gate = Gate()
        try await with(query: "?precompute=true", limits: limits, logger: recorder.logger) { node, server, champions in
            _ = try await node.ask([5], keys: ["a"])
            server.behave(.waits(gate), as: "minilm")
            await node.serving.warm(champions[1])
            gate.open()
            #expect(node.serving.metrics.warmups.counts == ["failed": 1])
            let entry = try #require(recorder.entries.first { $0.level == .warning })
            #expect(entry.metadata["member"] == "minilm" && entry.metadata["computed"] == "0")
        }
    }

    @Test func withoutTrafficNothingIsComputedAhead() async throws {
        try await with { node, server, champions in
            await node.serving.warm(champions[1])
            #expect(server.calls("minilm").isEmpty && node.serving.metrics.warmups.counts.isEmpty)
        }
    }

    @Test func waysToMembersThatLeftAreLetGo() async throws {
        try await with(champions: 3) { node, server, champions in
            _ = try await node.ask([5])
            for champion in champions.dropFirst() {
                await node.serving.warm(champion)
                node.serving.served.activate(champion)
                _ = try await node.ask([5])
            }
            await node.serving.warm(champions[2])
            #expect(node.calls.all.map(\.key.version) == ["1", "3"])
        }
    }
}

import EnsembleModel
import Foundation
import RegistryTesting
import Testing

@testable import ServingNode

/// Concurrent requests whose rows are joined into calls.
@Suite struct BatchingTests {
    private let task: GroupedTask

    init() throws { task = try GroupedTask.shared.get() }

    /// Runs `body` with a node whose first call of `knn` is held by a gate, and nothing else goes before it ends.
    private func with(
        _ body: @escaping @Sendable (ServingFixture, MemberServer, Gate) async throws -> Void
    ) async throws {
        let task = task
        var limits = MemberLimits.patient
        limits.batches.wait = .seconds(600)
        let members = limits
        try await MemberServer.with(["knn": task.members[0], "minilm": task.members[1]]) { server, address in
            let release = try task.release(1, .probability) { try $0.callMembers(at: address) }
            let served = ServedEnsemble(name: "digits", loaded: try release.loaded())
            try await ServingFixture.with(served, members: members) { node in
                try await body(node, server, Gate())
            }
        }
    }

    /// Sends requests while a call of `knn` is held, and lets it go when all of them wait.
    private static func ask(
        _ node: ServingFixture, _ server: MemberServer, _ gate: Gate, _ requests: [[Int]],
        then behaviour: MemberServer.Behaviour = .answer
    ) async throws -> [[Int]: InferenceTests.Answer] {
        server.behave(.first(.waits(gate), then: behaviour), as: "knn")
        return try await withThrowingTaskGroup(of: ([Int], InferenceTests.Answer).self) { group in
            group.addTask { ([299], try await node.ask([299])) }
            while server.calls("knn").isEmpty { await Task.yield() }
            for rows in requests { group.addTask { (rows, try await node.ask(rows)) } }
            while node.lane("knn")?.waitingCount != requests.count + 1 { await Task.yield() }
            gate.open()
            return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }

    @Test func rowsOfConcurrentRequestsGoTogetherAndComeBackApart() async throws {
        let task = task
        try await with { node, server, gate in
            let requests = [[1], [2, 3], [4], [5, 6, 7]]
            let answers = try await Self.ask(node, server, gate, requests)
            for rows in requests {
                #expect(answers[rows]?.probabilities == (try Self.expected(node, task.members(rows))))
            }
            #expect(server.calls("knn").map(\.rows.count) == [1, 7])
            #expect(server.calls("knn").last.map { Set($0.rows) } == Set(1...7))
            #expect(node.lane("knn")?.metrics.batchRows.counts.sum == 8)
        }
    }

    @Test func aRequestThatTheMemberCannotAnswerFailsAlone() async throws {
        let task = task
        try await with { node, server, gate in
            let requests = (1...9).map { [$0] }
            let answers = try await Self.ask(node, server, gate, requests, then: .failsOnRow(6))
            for rows in requests {
                var members = task.members(rows)
                if rows == [6] { members[0] = members[0].map { _ in .nan } }
                #expect(answers[rows]?.parameters.membersMissing == (rows == [6] ? "knn" : ""))
                #expect(answers[rows]?.probabilities == (try Self.expected(node, members)))
            }
        }
    }

    @Test func aRowThatIsAnsweredBadlySpoilsItsOwnRequestOnly() async throws {
        try await with { node, server, gate in
            let answers = try await Self.ask(node, server, gate, [[1], [2, 3], [4]], then: .spoilsRow(3))
            #expect(answers.filter { $0.value.parameters.membersMissing == "knn" }.map(\.key) == [[2, 3]])
            #expect(server.calls("knn").count == 2)
        }
    }

    private static func expected(_ node: ServingFixture, _ members: [[Float]]) throws -> [Double] {
        try #require(node.serving.served.current).probabilities(members, groups: [String]?.none)
    }
}

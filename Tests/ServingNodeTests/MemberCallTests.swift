import EnsembleModel
import Forest
import Foundation
import HummingbirdTesting
import NIOCore
import RegistryTesting
import Testing

@testable import ServingNode

/// Requests that leave members out: the node calls these, and scores rows without those that do not answer.
@Suite struct MemberCallTests {
    private let task: GroupedTask

    init() throws { task = try GroupedTask.shared.get() }

    private var tables: [String: [Float]] { ["knn": task.members[0], "minilm": task.members[1]] }

    private static func served(
        _ task: GroupedTask, _ columns: Policy.Columns, at address: String, query: String = ""
    ) throws -> ServedEnsemble {
        let release = try task.release(1, columns) { manifest in
            try manifest.callMembers(at: address + query)
        }
        return ServedEnsemble(name: "digits", loaded: try release.loaded())
    }

    private func with(
        _ columns: Policy.Columns = .probability, query: String = "", members: MemberLimits = .patient,
        _ body: @escaping @Sendable (ServingFixture, MemberServer) async throws -> Void
    ) async throws {
        let task = task
        try await MemberServer.with(tables) { server, address in
            let served = try Self.served(task, columns, at: address, query: query)
            try await ServingFixture.with(served, members: members) { try await body($0, server) }
        }
    }

    /// The answer by the members that are there; NaN stands for rows of one that is not.
    private static func expected(
        _ fixture: ServingFixture, _ members: [[Float]], groups: [String]? = nil
    ) throws -> [Double] {
        let loaded = try #require(fixture.serving.served.current)
        return try loaded.probabilities(members, groups: groups)
    }

    @Test(arguments: Policy.Columns.allCases) func callsMembersThatARequestLeavesOut(_ columns: Policy.Columns)
        async throws
    {
        let task = task
        try await with(columns) { node, server in
            let rows = [5, 17, 3, 250]
            let groups = ["q", "q", "r", "r"]
            let answer = try await node.ask(rows, keys: rows.map { "k\($0)" }, groups: groups)
            let given = try await InferenceTests.infer(
                node.client, InferenceBody(members: task.members(rows), groups: groups).json)
            #expect(answer.probabilities == given.probabilities && answer.labels == given.labels)
            #expect(answer.parameters.membersMissing == "" && answer.outputs.count == 2)
            for model in ["knn", "minilm"] {
                let calls = server.calls(model)
                #expect(calls.count == 1)
                #expect(calls.first?.rows == rows && calls.first?.groups == groups)
                #expect(calls.first?.keys == ["k5", "k17", "k3", "k250"])
            }
        }
    }

    @Test func combinesWhatIsGivenWithWhatIsCalled() async throws {
        let task = task
        try await with { node, server in
            let members = task.members([8, 9])
            let given = InferenceBody(members: [members[0]], groups: nil).inputs
            let answer = try await node.ask([8, 9], given: given)
            #expect(answer.probabilities == (try Self.expected(node, members)))
            #expect(server.calls("knn").isEmpty && server.calls("minilm").count == 1)
        }
    }

    @Test func sendsWhatTheEndpointAsksForInTheTensorsOwnWords() async throws {
        try await with(query: "?inputs=row,word&output=p") { node, server in
            let extra = InferenceBody.Input(
                name: "word", datatype: "BYTES", shape: "[1, 2]", data: #"[["a\"\u00e9", "ü"]]"#)
            let unused = InferenceBody.Input(name: "flag", datatype: "BOOL", shape: "[1]", data: "[true]")
            let answer = try await node.ask([4], keys: ["k"], given: [extra, unused])
            #expect(answer.parameters.membersMissing == "")
            #expect(server.calls("knn").map(\.names) == [["word", "row"]])
        }
    }

    @Test(arguments: Policy.Columns.allCases) func scoresExactlyWithoutAMemberThatFails(_ columns: Policy.Columns)
        async throws
    {
        let task = task
        try await with(columns) { node, server in
            server.behave(.status(500), as: "knn")
            let groups = ["q", "q", "r"]
            let answer = try await node.ask([5, 17, 3], keys: ["a", "b", "c"], groups: groups)
            var members = task.members([5, 17, 3])
            #expect(answer.probabilities != (try Self.expected(node, members, groups: groups)))
            members[0] = members[0].map { _ in .nan }
            #expect(answer.probabilities == (try Self.expected(node, members, groups: groups)))
            // What the combiner says when all it knows are the columns of the other member.
            let width = columns.count(classCount: 3)
            let forest = try #require(node.serving.served.current).forest.conditioned { $0 >= width }
            let known =
                columns == .probability
                ? task.rows([5, 17, 3]) : groupColumns(of: task.members([5, 17, 3]), classCount: 3, groups: groups)
            #expect(zip(answer.probabilities, forest.probabilities(rows: known)).allSatisfy { abs($0 - $1) < 1e-12 })
            #expect(answer.parameters.membersMissing == "knn")
            #expect(answer.outputs.map(\.name) == ["probabilities", "label", "members_missing"])
            #expect(answer.outputs.last?.data.strings == ["knn", "knn", "knn"])
            #expect(server.calls("knn").count == 1)
        }
    }

    @Test func answersOfMembersThatAreBackReplaceThoseWithoutThem() async throws {
        let task = task
        try await with { node, server in
            server.behave(.first(.status(500), then: .answer), as: "knn")
            let answer1 = try await node.ask([5], keys: ["a"]).parameters.membersMissing
            #expect(answer1 == "knn")
            let whole = try await node.ask([5], keys: ["a"])
            #expect(whole.probabilities == (try Self.expected(node, task.members([5]))))
            #expect(server.calls("minilm").count == 1)
        }
    }

    @Test func marksTheRowsThatLackAMember() async throws {
        let task = task
        try await with { node, server in
            let first = try await node.ask([5, 6], keys: ["a", "b"])
            server.behave(.status(400), as: "knn")
            // The label of `c` is unknown, and of its members only `knn` is away.
            let answer = try await node.ask(
                [5, 7, 6], keys: ["a", "c", "b"],
                extra: #", "outputs": [{"name": "members_missing"}, {"name": "probabilities"}]"#)
            #expect(answer.outputs.first?.data.strings == ["", "knn", ""])
            #expect(answer.parameters.membersMissing == "knn")
            #expect(Array(answer.probabilities[0..<3]) == Array(first.probabilities[0..<3]))
            var members = task.members([5, 7, 6])
            members[0].replaceSubrange(3..<6, with: [.nan, .nan, .nan])
            #expect(answer.probabilities == (try Self.expected(node, members)))
            #expect(server.calls("minilm").map(\.rows) == [[5, 6], [7]])
        }
    }

    @Test func aRowWithoutAMemberIsLeftOutOfItsGroupsMean() async throws {
        let task = task
        try await with(.probabilityAndGroup) { node, server in
            // Only row 5 is known of both members.
            _ = try await node.ask([5], keys: ["a"], groups: ["x"])
            server.behave(.status(400), as: "knn")
            let answer = try await node.ask([5, 7], keys: ["a", "b"], groups: ["q", "q"])
            var members = task.members([5, 7])
            members[0].replaceSubrange(3..<6, with: [.nan, .nan, .nan])
            #expect(answer.probabilities == (try Self.expected(node, members, groups: ["q", "q"])))
            #expect(answer.outputs.last?.data.strings == ["", "knn"])
            // Neither row's answer is kept: the first one's mean lacks the second.
            server.behave(.answer, as: "knn")
            let whole = try await node.ask([5, 7], keys: ["a", "b"], groups: ["q", "q"])
            #expect(whole.probabilities == (try Self.expected(node, task.members([5, 7]), groups: ["q", "q"])))
        }
    }

    @Test func withoutAnyMemberThereIsNoAnswer() async throws {
        try await with { node, server in
            for model in ["knn", "minilm"] { server.behave(.status(500), as: model) }
            let answer = try await node.post(ServingFixture.body([1]))
            #expect(answer.hasPrefix("503 ") && answer.contains("no member of 'digits' answered"))
        }
    }

    @Test func aMemberThatIsLateIsMissing() async throws {
        var limits = MemberLimits()
        limits.timeout = .milliseconds(200)
        let gate = Gate()
        try await with(members: limits) { node, server in
            server.behave(.waits(gate), as: "knn")
            // The other one may be late too on a machine that is busy; then there is no answer at all.
            let text = try await node.post(ServingFixture.body([1]))
            gate.open()
            #expect(text.contains(#""members_missing":"knn"#) || text.hasPrefix("503 "))
            #expect(node.lane("knn")?.metrics.faults.counts == [.timeout: 1])
        }
    }

    @Test(arguments: [
        "", "[]", "{}", #"{"outputs":[]}"#, #"{"outputs":[{"name":"p","datatype":"FP32","shape":[1,3],"data":[1,0"#,
        #"{"outputs":[{"name":"p","datatype":"FP32","shape":[2,3],"data":[1,0,0,1,0,0]}]}"#,
        #"{"outputs":[{"name":"p","datatype":"FP32","shape":[1,2],"data":[1,0]}]}"#,
        #"{"outputs":[{"name":"p","datatype":"FP32","shape":[1,3],"data":[1,0]}]}"#,
        #"{"outputs":[{"name":"p","datatype":"FP32","shape":[1,3],"data":[1,0.01,0]}]}"#,
        #"{"outputs":[{"name":"p","datatype":"FP32","shape":[1,3],"data":[1.5,-0.5,0]}]}"#,
        #"{"outputs":[{"name":"p","datatype":"FP32","shape":[1,3],"data":[1e999,0,0]}]}"#,
        #"{"outputs":[{"name":"p","datatype":"FP32","shape":[1,3],"data":[null,1,0]}]}"#,
        #"{"outputs":[{"name":"p","datatype":"INT64","shape":[1,3],"data":[1,0,0]}]}"#,
        #"{"outputs":[{"name":"p","datatype":"FP32","shape":[1,3],"data":[[1],[0],[0]]}]}"#,
        #"{"outputs":[{"name":"a","datatype":"FP32","shape":[1,3],"data":[1,0,0]},{"name":"b","datatype":"FP32","#
            + #""shape":[1,3],"data":[1,0,0]}]}"#,
        #"{"x":"\#(String(repeating: "x", count: 70_000))","outputs":[{"name":"p","datatype":"FP32","shape":[1,3],"#
            + #""data":[1,0,0]}]}"#,
    ]) func whatIsNoRowOfProbabilitiesIsNoAnswer(_ body: String) async throws {
        try await with { node, server in
            server.behave(.body(body), as: "knn")
            let answer2 = try await node.ask([1]).parameters.membersMissing
            #expect(answer2 == "knn")
            #expect(node.lane("knn")?.metrics.faults.counts == [.badAnswer: 1])
            #expect(server.calls("knn").count == 1)
        }
    }

    @Test func outputsThatNobodyAskedForMayBeOfAnyKind() async throws {
        try await with(query: "?output=p") { node, server in
            server.behave(
                .body(
                    #"{"outputs":[{"data":[[true]],"name":"x","datatype":"BOOL","shape":[1,1]},"#
                        + #"{"data":[[0.25,0.25,0.5]],"shape":[1,3],"datatype":"FP64","name":"p"}]}"#), as: "knn")
            let answer3 = try await node.ask([1]).parameters.membersMissing
            #expect(answer3 == "")
        }
    }

    @Test func asksAgainOnceWhereThatIsSafe() async throws {
        try await with { node, server in
            server.behave(.first(.status(503), then: .answer), as: "knn")
            let answer4 = try await node.ask([1]).parameters.membersMissing
            #expect(answer4 == "")
            #expect(server.calls("knn").count == 2)
            #expect(node.lane("knn")?.metrics.retries.counts.values.reduce(0, +) == 1)
            server.behave(.status(503), as: "knn")
            let answer5 = try await node.ask([1]).parameters.membersMissing
            #expect(answer5 == "knn")
            #expect(server.calls("knn").count == 4)
        }
    }

    @Test func aMemberThatKeepsFailingIsLeftAloneAndSaysSo() async throws {
        try await with { node, server in
            server.behave(.status(500), as: "knn")
            for _ in 0..<8 {
                let answer = try await node.ask([1]).parameters.membersMissing
                #expect(answer == "knn")
            }
            #expect(server.calls("knn").count == 5)
            #expect(node.lane("knn")?.metrics.faults.counts == [.badAnswer: 5, .breakerOpen: 3])
            let answer6 = try await node.get("/v2/health/ready")
            #expect(answer6 == #"200 {"degraded":["digits/knn@1"],"ready":true}"#)
        }
    }

    @Test func anUnreachableMemberIsMissing() async throws {
        let task = task
        let served = try Self.served(task, .probability, at: "http://127.0.0.1:9")
        try await ServingFixture.with(served) { node in
            let given = InferenceBody(members: [task.members([1])[0]], groups: nil).inputs
            let answer7 = try await node.ask([1], given: given).parameters.membersMissing
            #expect(answer7 == "minilm")
            #expect(node.lane("minilm")?.metrics.faults.counts == [.unreachable: 1])
        }
    }

    @Test(arguments: [
        (#"{"name": "row", "datatype": "INT64", "shape": [2, 1], "data": [1]}"#, "it must be [2, ...]"),
        (#"{"name": "row", "datatype": "INT64", "shape": [], "data": [1]}"#, "'row' has no rows"),
        (#"{"name": "row", "datatype": "INT64", "shape": [1], "data": [null]}"#, "is null"),
        (#"{"name": "row", "datatype": "INT64", "shape": [1], "data": [{}]}"#, "is an object"),
        (#"{"name": "key", "datatype": "BYTES", "shape": [1], "data": [1]}"#, "tensor 'key' must be of datatype BYTES"),
        (#"{"name": "group", "datatype": "BYTES", "shape": [1], "data": ["a"]}"#, "missing: knn, minilm"),
        (
            #"{"name": "row", "shape": [1, 4611686018427387904, 4], "datatype": "INT64", "data": [1]}"#,
            "it must be [1, ...]"
        ),
    ]) func refuses(_ tensor: String, says: String) async throws {
        try await with { node, server in
            let answer = try await node.post(#"{"inputs": [\#(tensor)]}"#)
            #expect(answer.hasPrefix("400 ") && answer.contains(says), "\(answer)")
            #expect(server.calls("knn").isEmpty)
        }
    }
}

extension Manifest {
    /// Gives every member an endpoint.
    mutating func callMembers(at endpoint: String) throws {
        for member in members.indices { members[member].endpoint = endpoint }
        contentID = try Manifest.contentID(
            ensemble: ensemble, classes: classes, members: members, combiner: combiner, columns: columns)
    }
}

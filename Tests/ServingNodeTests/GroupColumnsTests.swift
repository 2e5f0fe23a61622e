import Boosting
import EnsembleModel
import Forest
import Foundation
import Hummingbird
import HummingbirdTesting
import RegistryTesting
import Synchronization
import Testing

@testable import ServingNode

/// Ensembles whose combiner sees a row beside the others of its group.
@Suite struct GroupColumnsTests {
    private let task: GroupedTask

    init() throws { task = try GroupedTask.shared.get() }

    private func serving(_ columns: Policy.Columns = .probabilityAndGroup) throws -> ServedEnsemble {
        try ServedEnsemble(name: "digits", loaded: task.release(1, columns).loaded())
    }

    /// What LightGBM itself says of rows.
    private func expected(_ members: [[Float]], groups: [String]) throws -> [Double] {
        try LightGBM.load().predict(
            text: task.combiner(.probabilityAndGroup).text,
            rows: groupColumns(of: members, classCount: 3, groups: groups), raw: false)
    }

    @Test func answersWithTheEnginesOwnScores() async throws {
        try await InferenceTests.with(serving()) { client in
            var random = SplitMix(seed: 5)
            for rowCount in [1, 2, 7, 60, 1500] {
                let rows = (0..<rowCount).map { _ in Int(random.next() % 300) }
                let groups = rows.map { _ in "q\(random.next() % UInt64(1 + rowCount / 4))" }
                let members = task.members(rows)
                let answer = try await InferenceTests.infer(
                    client, InferenceBody(members: members, groups: groups).json)
                let expected = try expected(members, groups: groups)
                #expect(answer.probabilities.count == expected.count)
                for (ours, theirs) in zip(answer.probabilities, expected) { #expect(abs(ours - theirs) <= 1e-12) }
            }
        }
    }

    @Test func givesGoldenRowsTheRegistrysScores() async throws {
        let golden = try task.combiner(.probabilityAndGroup).golden
        let inputs = try #require(golden.inputValues)
        let groups = try #require(golden.groups)
        #expect(Set(groups).count > 1 && Set(groups).count < groups.count)
        let members = [0, 3].map { first in inputs.flatMap { $0[first..<first + 3] } }
        var scores = try #require(golden.rawScoreValues).flatMap { $0 }
        Forest.softmax(&scores, classCount: 3)
        let expected = scores
        try await InferenceTests.with(serving()) { client in
            let body = InferenceBody(members: members, groups: groups.map { "g\($0)" })
            let answer = try await InferenceTests.infer(client, body.json)
            #expect(answer.probabilities == expected)
        }
    }

    @Test func groupsMatterTheirNamesAndTheOrderOfRowsDoNot() async throws {
        var random = SplitMix(seed: 6)
        let rows = Array(0..<40)
        let shuffled = rows.shuffled(using: &random)
        let groups = rows.map { task.groups[$0] }
        try await InferenceTests.with(serving()) { client in
            func ask(_ rows: [Int], _ groups: [String]) async throws -> [[Double]] {
                let body = InferenceBody(members: task.members(rows), groups: groups)
                let values = try await InferenceTests.infer(client, body.json).probabilities
                return rows.indices.map { Array(values[$0 * 3..<($0 + 1) * 3]) }
            }
            let answer = try await ask(rows, groups)
            let renamed = try await ask(rows, groups.map { "query " + $0 })
            #expect(renamed == answer)
            let inOtherOrder = try await ask(shuffled, shuffled.map { groups[$0] })
            for (row, values) in zip(shuffled, inOtherOrder) {
                for (one, other) in zip(values, answer[row]) { #expect(abs(one - other) <= 1e-12) }
            }
            let alone = try await ask(rows, rows.map(String.init))
            #expect(alone != answer)
            // The answer for a row that is sent alone is the answer for a group of one.
            let third = try await ask([3], ["x"])
            #expect(third == [alone[3]])
        }
    }

    @Test(
        arguments: [
            ("no group", nil, "missing: group; 'digits' scores a row beside the others of its group: send all rows of"),
            (
                "short", #"["a", "b"]"#,
                "tensor 'group' must be of datatype BYTES and shape [3], with a string for each row"
            ),
            ("numbers", "[1, 1, 2]", "tensor 'group' must be of datatype BYTES and shape [3]"),
            ("empty", #"["a", "", "a"]"#, "row 1 of tensor 'group' is empty; name the row's group"),
        ] as [(String, String?, String)]) func refuses(_ name: String, data: String?, says: String) async throws
    {
        var body = InferenceBody(members: task.members([0, 1, 2]), groups: ["a", "a", "b"])
        if let data { body.inputs[2].data = data } else { body.inputs.removeLast() }
        let json = body.json
        try await InferenceTests.with(serving()) { client in
            try await client.execute(
                uri: "/v2/models/digits/infer", method: .post, body: ByteBuffer(string: json)
            ) {
                #expect($0.status == .badRequest)
                let answer = try JSONDecoder().decode([String: String].self, from: Data($0.body.readableBytesView))
                #expect(answer["error"]?.contains(says) == true, "\(name): \(answer)")
            }
        }
    }

    @Test func metadataSaysThatTheGroupIsNeeded() async throws {
        struct Model: Decodable {
            struct Tensor: Decodable { var name: String }
            struct Parameters: Decodable {
                var columns: String
                var optional_inputs: [String]
            }
            var inputs: [Tensor]
            var parameters: Parameters
        }
        try await InferenceTests.with(serving()) { client in
            let model = try await client.execute(uri: "/v2/models/digits", method: .get) {
                try JSONDecoder().decode(Model.self, from: Data($0.body.readableBytesView))
            }
            #expect(model.inputs.map(\.name) == ["knn", "minilm", "group", "key"])
            #expect(model.parameters.columns == "probability+group" && model.parameters.optional_inputs == ["key"])
        }
    }

    @Test func aSwitchOfTheColumnsIsFollowedWithoutAnInterruption() async throws {
        let first = try task.release(1, .probability)
        let second = try task.release(2, .probabilityAndGroup, after: first)
        let third = try task.release(3, .probability, after: second)
        #expect(first.manifest.contentID != second.manifest.contentID)
        #expect(first.manifest.contentID == third.manifest.contentID)
        let rows = Array(0..<10)
        let members = task.members(rows)
        let groups = rows.map { task.groups[$0] }
        let body = InferenceBody(members: members, groups: groups).json
        let grouped = try expected(members, groups: groups)
        let single = try first.loaded().forest.probabilities(
            rows: rows.indices.flatMap { row in members.flatMap { $0[row * 3..<(row + 1) * 3].map(Double.init) } })
        try await FollowerFixture.with { node in
            try node.publish(first)
            #expect(await node.poll() == "activated 1")
            let seen = SequencesSeen()
            try await InferenceTests.with(node.served) { client in
                async let asked: Void = {
                    while !seen.isOver {
                        // Throws on any answer but 200.
                        let answer = try await InferenceTests.infer(client, body)
                        let expected = answer.parameters.sequence == 2 ? grouped : single
                        let difference = zip(answer.probabilities, expected).map { abs($0 - $1) }.max()
                        try #require(difference.map { $0 <= 1e-12 } == true)
                        seen.add(answer.parameters.sequence)
                    }
                }()
                for release in [second, third] {
                    try node.publish(release)
                    #expect(await node.poll() == "activated \(release.manifest.sequence)")
                    #expect(node.onDisk?.document.digest == release.digest)
                    await seen.wait(for: release.manifest.sequence)
                }
                seen.end()
                try await asked
            }
            #expect(seen.all.isSuperset(of: [2, 3]))
        }
    }

    @Test func refusesAManifestWhoseColumnsAreNotItsCombiners() async throws {
        let (single, grouped) = try (task.combiner(.probability), task.combiner(.probabilityAndGroup))
        let narrow = try Release(1, single, members: 2, columns: .probabilityAndGroup)
        let wide = try Release(2, grouped, members: 2, columns: .probability)
        let wrongGroups = try task.release(3, .probabilityAndGroup) { $0.golden.groups = [0, 1, 2, 3] }
        let noGroups = try task.release(4, .probabilityAndGroup) { $0.golden.groups = nil }
        let fewGroups = try task.release(5, .probabilityAndGroup) { $0.golden.groups = [0] }
        let needlessGroups = try task.release(6, .probability) { $0.golden.groups = [0, 0, 1, 1] }
        try await FollowerFixture.with { node in
            for (release, summary) in [
                (narrow, "invalid_combiner"), (wide, "invalid_combiner"), (wrongGroups, "invalid_combiner"),
                (noGroups, "invalid_manifest"), (fewGroups, "invalid_manifest"), (needlessGroups, "invalid_manifest"),
            ] {
                try node.publish(release)
                #expect(await node.poll() == "refused load \(summary)")
                #expect(node.onDisk == nil)
            }
        }
    }

    @Test func refusesColumnsItDoesNotKnowOnceAndServesOn() async throws {
        let first = try task.release(1, .probability)
        let second = try task.release(2, .probabilityAndGroup, after: first)
        let text = String(decoding: second.bytes, as: UTF8.self)
        try await FollowerFixture.with { node in
            try node.publish(first)
            #expect(await node.poll() == "activated 1")
            try node.registry.publish(
                second, bytes: Array(text.replacing("probability+group", with: "rank").utf8))
            #expect(await node.poll() == "refused load invalid_manifest")
            #expect(node.report.refusal?.message.contains("update the node") == true)
            #expect(await node.poll() == "unchanged refused")
            #expect(node.served.current?.document.digest == first.digest)
        }
    }
}

/// The manifests that answers came from.
private final class SequencesSeen: Sendable {
    private let state = Mutex((all: Set<Int>(), isOver: false))

    var all: Set<Int> { state.withLock { $0.all } }
    var isOver: Bool { state.withLock { $0.isOver } }

    func add(_ sequence: Int) { state.withLock { _ = $0.all.insert(sequence) } }
    func end() { state.withLock { $0.isOver = true } }

    func wait(for sequence: Int) async {
        let deadline = ContinuousClock.now + .seconds(60)
        while !all.contains(sequence), ContinuousClock.now < deadline {
            try? await Task.sleep(for: .milliseconds(5))
        }
    }
}

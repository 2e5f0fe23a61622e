import EnsembleModel
import Forest
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import RegistryTesting
import Testing

@testable import ServingNode

@Suite struct InferenceTests {
    /// Runs `body` with a client of a node that serves `digits`.
    static func with(
        _ served: ServedEnsemble, limits: NodeLimits = NodeLimits(),
        _ body: @escaping @Sendable (any TestClientProtocol) async throws -> Void
    ) async throws {
        try await ServingFixture.with(served, limits: limits) { try await body($0.client) }
    }

    private static func serving(_ model: TextModel = .two) throws -> ServedEnsemble {
        try ServedEnsemble(name: "digits", loaded: Release(1, model).loaded())
    }

    struct Answer: Decodable {
        struct Parameters: Decodable {
            var sequence: Int
            var contentID: String
            var membersMissing: String

            enum CodingKeys: String, CodingKey {
                case sequence
                case contentID = "content_id"
                case membersMissing = "members_missing"
            }
        }

        struct Output: Decodable {
            var name: String
            var datatype: String
            var shape: [Int]
            var data: GoldenValue
        }

        var modelName: String
        var modelVersion: String
        var id: String?
        var parameters: Parameters
        var outputs: [Output]

        var probabilities: [Double] { outputs.first { $0.name == "probabilities" }?.data.doubles ?? [] }
        var labels: [String] { outputs.first { $0.name == "label" }?.data.strings ?? [] }

        enum CodingKeys: String, CodingKey {
            case id, parameters, outputs
            case modelName = "model_name"
            case modelVersion = "model_version"
        }
    }

    static func infer(
        _ client: any TestClientProtocol, _ body: String, path: String = "/v2/models/digits/infer"
    ) async throws -> Answer {
        try await client.execute(uri: path, method: .post, body: ByteBuffer(string: body)) { response in
            try #require(response.status == .ok, "\(String(buffer: response.body))")
            return try JSONDecoder().decode(Answer.self, from: Data(response.body.readableBytesView))
        }
    }

    @Test(arguments: [TextModel.two, .otherTwo, .three]) func answersWithTheForestsOwnNumbers(_ model: TextModel)
        async throws
    {
        let forest = try Forest(lightGBMText: model.bytes)
        let expected = forest.probabilities(rows: model.rows.joined().map(Double.init))
        try await Self.with(Self.serving(model)) { client in
            for body in [InferenceBody(model).json, InferenceBody(model, isNested: true, datatype: "FP64").json] {
                let answer = try await Self.infer(client, body)
                #expect(answer.probabilities.map(\.bitPattern) == expected.map(\.bitPattern))
                for (ours, python) in zip(answer.probabilities, model.probabilities.joined()) {
                    #expect(abs(ours - python) < 1e-12)
                }
                #expect(answer.outputs.map(\.shape) == [[3, 3], [3]])
                #expect(answer.outputs.map(\.datatype) == ["FP64", "BYTES"])
                #expect(answer.parameters.sequence == 1)
                #expect(answer.parameters.membersMissing == "")
                #expect(answer.modelVersion == "1")
            }
        }
    }

    @Test func namesTheMostProbableClassOfEachRow() async throws {
        try await Self.with(Self.serving()) { client in
            let answer = try await Self.infer(client, InferenceBody(.two).json)
            let best = TextModel.two.probabilities.map { row in row.indices.max { row[$0] < row[$1] } }
            #expect(answer.labels == best.compactMap { $0 }.map { Release.classes[$0] })
        }
    }

    @Test func roundsToTheThirtyTwoBitsThatTheRegistryTrainedOn() async throws {
        // A threshold of the trees, written with 64 bits: rounding it to 32 takes it to the other side.
        let threshold = 0.42017434537410742
        #expect(Double(Float(threshold)) > threshold)
        let forest = try Forest(lightGBMText: TextModel.two.bytes)
        let rest = 1 - threshold
        let exact = [0, 0, 1, threshold, rest, 0]
        let rounded = exact.map { Double(Float($0)) }
        #expect(forest.probabilities(rows: exact) != forest.probabilities(rows: rounded))
        try await Self.with(Self.serving()) { client in
            var body = InferenceBody(.two, datatype: "FP64")
            body.inputs[0].shape = "[1, 3]"
            body.inputs[0].data = "[0, 0, 1]"
            body.inputs[1].shape = "[1, 3]"
            body.inputs[1].data = "[\(threshold), \(rest), 0]"
            let answer = try await Self.infer(client, body.json)
            #expect(answer.probabilities == forest.probabilities(rows: rounded))
        }
    }

    @Test func echoesTheIDAndGivesTheOutputsAskedForInTheirOrder() async throws {
        try await Self.with(Self.serving()) { client in
            var body = InferenceBody(.two)
            body.extra = #", "id": "r\u00e9q \"1\"", "outputs": [{"name": "label", "parameters": {"x": [1, null]}}]"#
            let answer = try await Self.infer(client, body.json, path: "/v2/models/digits/versions/1/infer")
            #expect(answer.id == "réq \"1\"")
            #expect(answer.outputs.map(\.name) == ["label"])
            body.extra = #", "outputs": [{"name": "label"}, {"name": "probabilities"}]"#
            let both = try await Self.infer(client, body.json)
            #expect(both.outputs.map(\.name) == ["label", "probabilities"])
        }
    }

    @Test func takesGroupAndKey() async throws {
        try await Self.with(Self.serving()) { client in
            var body = InferenceBody(.two)
            body.inputs.append(.init(name: "key", datatype: "BYTES", shape: "[3]", data: #"["a", "b", "c"]"#))
            body.inputs.append(.init(name: "group", datatype: "BYTES", shape: "[3]", data: #"["q", "q", "r"]"#))
            let answer = try await Self.infer(client, body.json)
            #expect(answer.labels.count == 3)
        }
    }

    @Test func everyAnswerIsOfOneChampionWhileChampionsAreSwapped() async throws {
        let first = try Release(1, .two)
        let second = try Release(2, .otherTwo, after: first)
        let champions = try [first.loaded(), second.loaded()]
        let rows = TextModel.two.rows.joined().map(Double.init)
        let expected = Dictionary(
            uniqueKeysWithValues: champions.map { ($0.manifest.contentID.hex, $0.forest.probabilities(rows: rows)) })
        #expect(Set(expected.values).count == 2)
        let served = ServedEnsemble(name: "digits", loaded: champions[0])
        try await Self.with(served) { client in
            try await withThrowingTaskGroup(of: String.self) { group in
                group.addTask {
                    for swap in 0..<2000 {
                        served.activate(champions[swap % 2])
                        await Task.yield()
                    }
                    return ""
                }
                for _ in 0..<200 {
                    group.addTask {
                        let answer = try await Self.infer(client, InferenceBody(.two).json)
                        #expect(answer.probabilities == expected[answer.parameters.contentID])
                        #expect(
                            answer.parameters.sequence
                                == (answer.parameters.contentID == first.manifest.contentID.hex ? 1 : 2))
                        return answer.parameters.contentID
                    }
                }
                for try await contentID in group where !contentID.isEmpty { #expect(expected[contentID] != nil) }
            }
        }
    }

    @Test(arguments: BadRequest.all) func refuses(_ request: BadRequest) async throws {
        var limits = NodeLimits()
        limits.rows = 100
        limits.bodyBytes = 4096
        try await Self.with(Self.serving(), limits: limits) { client in
            try await client.execute(
                uri: request.path, method: .post, body: ByteBuffer(string: request.body)
            ) {
                #expect($0.status.code == request.status)
                let answer = try JSONDecoder().decode([String: String].self, from: Data($0.body.readableBytesView))
                #expect(answer.keys.sorted() == ["error"])
                #expect(answer["error"]?.contains(request.says) == true, "\(answer)")
            }
        }
    }

    @Test func refusesMoreBodiesThanMayBeHeldTogether() async throws {
        var limits = NodeLimits()
        limits.bodyBytesTogether = 100
        try await Self.with(Self.serving(), limits: limits) { client in
            try await client.execute(
                uri: "/v2/models/digits/infer", method: .post, body: ByteBuffer(string: InferenceBody(.two).json)
            ) { response in
                #expect(response.status == .serviceUnavailable)
                #expect(response.headers[.retryAfter] == "1")
            }
        }
    }
}

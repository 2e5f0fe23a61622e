import AsyncHTTPClient
import EnsembleModel
import Foundation
import NIOCore
import NIOFoundationCompat
import NIOHTTP1
import RegistryTesting
import Testing

@testable import ServingNode

/// The real program, asked by the client that most speak the protocol with; it sends binary data unless told not to.
@Suite struct TritonClientTests {
    private static let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Python/ask_node.py")

    private static func send(_ path: String, _ body: String? = nil, to node: RunningProgram) async throws -> ByteBuffer?
    {
        var request = HTTPClientRequest(url: "http://\(node.address)\(path)")
        if let body {
            request.method = .POST
            request.body = .bytes(ByteBuffer(string: body))
        }
        let answer = try await HTTPClient.shared.execute(request, timeout: .seconds(30))
        let bytes = try await answer.body.collect(upTo: 1 << 20)
        return answer.status == .ok ? bytes : nil
    }

    @Test func aNodeAnswersTritonclientAsItAnswersJSON() async throws {
        let registry = try RegistryStandIn()
        try registry.publish(Release(1))
        try await ScratchDirectory.with { folder in
            try await registry.serve(nodeIn: folder) { arguments in
                let node = try await RunningProgram("registry-node", arguments, folder: folder)
                let deadline = ContinuousClock.now + .seconds(60)
                while try await Self.send("/v2/health/ready", to: node) == nil, ContinuousClock.now < deadline {
                    try await Task.sleep(for: .milliseconds(20))
                }
                try await Self.ask(node, in: folder)
                #expect(await node.end() == 0)
            }
        }
    }

    private static func ask(_ node: RunningProgram, in folder: URL) async throws {
        var body = InferenceBody(.two)
        body.inputs.append(.init(name: "key", datatype: "BYTES", shape: "[3]", data: #"["a", "ü\"", "c"]"#))
        body.inputs.append(.init(name: "group", datatype: "BYTES", shape: "[3]", data: #"["q", "q", "r"]"#))
        let file = folder.appendingPathComponent("request.json")
        try Data(body.json.utf8).write(to: file)
        let json = try #require(try await send("/v2/models/digits/infer", body.json, to: node))
        let expected = try JSONDecoder().decode(InferenceTests.Answer.self, from: Data(buffer: json))
        let output = try await PythonPeer.run(script, [node.address, "digits", file.path])
        let told = try JSONDecoder().decode(GoldenValue.self, from: output)
        #expect(["live", "ready", "model_ready", "other_ready"].map { told[$0].bool } == [true, true, true, false])
        #expect(told["server"]["extensions"].strings == ["binary_tensor_data"])
        #expect(told["model"]["inputs"].array.map { $0["name"].string } == ["knn", "minilm", "group", "key"])
        let all = ["label", "members_missing", "probabilities"]
        let wanted: [(name: String, outputs: [String], binary: [String])] = [
            ("defaults", ["probabilities", "label"], ["probabilities", "label"]), ("named", all, all),
            ("json", all, []), ("json_inputs", ["probabilities", "label"], ["probabilities", "label"]),
            ("json_outputs", all, []),
        ]
        for (name, outputs, binary) in wanted {
            let answer = told["answers"][name]
            #expect(answer["outputs"].strings == outputs, "\(name)")
            #expect(answer["binary"].strings == binary, "\(name)")
            #expect(answer["probabilities"].doubles == expected.probabilities, "\(name)")
            #expect(answer["labels"].strings == expected.labels, "\(name)")
        }
        #expect(expected.probabilities.count == 9)
        let refusals = told["refusals"]
        for name in ["model", "metadata"] {
            #expect(refusals[name]["status"].string == "404")
            #expect(refusals[name]["message"].string == "model 'other' is not served here; there is digits")
        }
        #expect(refusals["tensor"]["status"].string == "400")
        #expect(refusals["tensor"]["message"].string.hasPrefix("tensor 'unknown' is unknown; 'digits' takes"))
    }
}

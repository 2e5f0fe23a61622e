import AsyncHTTPClient
import EnsembleModel
import Forest
import Foundation
import NIOCore
import NIOFoundationCompat
import NIOHTTP1
import RegistryAPI
import RegistryTesting
import Testing

/// The whole system as its users run it: daemon, command line, serving node.
@Suite(.serialized) struct MainJobTests {
    @Test func modelsAreSubmittedDecidedPublishedAndServed() async throws {
        try await RunningRegistry.with { registry in
            let task = try SimulatedTask(rowCount: 400)
            try await registry.create("pets", task)
            for (model, skill) in [("weak@1", 0.4), ("fair@1", 0.8)] {
                let file = try registry.file(
                    "\(model).csv", task.csv(task.predictions(skill: skill, seed: UInt64(skill * 100))))
                let sent = try await registry.command("submit", "pets", model, "--predictions", file, "--wait")
                #expect(sent.status == 5, "it waits as a candidate: \(sent.errors)")
            }
            let founding: Outcome = try await registry.json("ensembles", "found", "pets", "--wait")
            #expect(founding.decision?.verdict == .admit)

            let predictions = try task.predictions(skill: 3, seed: 7)
            let file = try registry.file("good.csv", task.csv(predictions))
            let outcome: Outcome = try await registry.json("submit", "pets", "good@1", "--predictions", file, "--wait")
            let decision = try #require(outcome.decision)
            #expect(decision.verdict.isAdmission)

            let copy = try await registry.command("submit", "pets", "copy@1", "--predictions", file, "--wait")
            #expect(copy.status == 4, "\(copy)")
            #expect(copy.output.contains("REJECT_DUPLICATE"))

            try await serve(registry, task)
        }
    }

    private func serve(_ registry: RunningRegistry, _ task: SimulatedTask) async throws {
        let node = try await RunningProgram(
            "registry-node",
            [
                "run", "--registry", registry.url, "--ensemble", "pets", "--state", registry.folder.path + "/node",
                "--listen", "127.0.0.1:0", "--token-file", registry.tokenFile, "--root", registry.rootFile,
            ], folder: registry.folder)
        let manifestFile = registry.folder.appendingPathComponent("manifest.json")
        let combinerFile = registry.folder.appendingPathComponent("combiner.txt")
        let got = try await registry.command(
            "manifest", "get", "pets", "--output", manifestFile.path, "--combiner", combinerFile.path)
        #expect(got.status == 0, "\(got.errors)")
        let manifest = try JSONDecoder().decode(Manifest.self, from: Data(contentsOf: manifestFile))
        try await waitUntilServed(manifest.sequence, at: node.address)

        let inputs = try #require(manifest.golden.inputValues)
        let forest = try Forest(lightGBMText: Array(Data(contentsOf: combinerFile)))
        let expected = forest.probabilities(rows: inputs.flatMap { $0.map(Double.init) })
        let answer = try await infer(inputs, manifest, at: node.address)
        #expect(answer == expected)
        #expect(await node.end() == 0)
    }

    private func waitUntilServed(_ sequence: Int, at address: String) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < deadline {
            let answer = try await Self.send(HTTPClientRequest(url: "http://\(address)/v2/models/pets"))
            if String(buffer: answer).contains("\"\(sequence)\"") { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        Issue.record("manifest \(sequence) was not served in time")
    }

    private static func send(_ request: HTTPClientRequest) async throws -> ByteBuffer {
        try await HTTPClient.shared.execute(request, timeout: .seconds(30)).body.collect(upTo: 1 << 20)
    }

    private func infer(_ inputs: [[Float]], _ manifest: Manifest, at address: String) async throws -> [Double] {
        let width = manifest.classes.count
        let tensors = manifest.members.enumerated().map { position, member in
            [
                "name": member.model, "datatype": "FP32", "shape": [inputs.count, width],
                "data": inputs.map { Array($0[position * width..<(position + 1) * width]).map(Double.init) },
            ] as [String: Any]
        }
        var request = HTTPClientRequest(url: "http://\(address)/v2/models/pets/infer")
        request.method = .POST
        request.body = .bytes(ByteBuffer(data: try JSONSerialization.data(withJSONObject: ["inputs": tensors])))
        let data = Data(buffer: try await Self.send(request))
        let answer = try JSONDecoder().decode(InferenceAnswer.self, from: data)
        return try #require(answer.outputs.first { $0.name == "probabilities" }?.numbers)
    }
}

/// The part of an inference answer that the test reads.
private struct InferenceAnswer: Decodable {
    struct Output: Decodable {
        let name: String
        let numbers: [Double]?

        enum CodingKeys: String, CodingKey { case name, data }

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: CodingKeys.self)
            name = try values.decode(String.self, forKey: .name)
            numbers = try? values.decode([Double].self, forKey: .data)
        }
    }

    let outputs: [Output]
}

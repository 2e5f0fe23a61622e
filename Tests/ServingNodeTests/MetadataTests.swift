import EnsembleModel
import Foundation
import Hummingbird
import HummingbirdTesting
import Testing

@testable import ServingNode

@Suite struct MetadataTests {
    /// What a node answers to GET, with and without a champion.
    private static func get(_ path: String, loaded: Bool = true) async throws -> String {
        let served = try ServedEnsemble(name: "digits", loaded: loaded ? Release(7).loaded() : nil)
        return try await ServingFixture.with(served) { try await $0.get(path) }
    }

    @Test func tellsServerAndHealth() async throws {
        #expect(
            try await Self.get("/v2")
                == #"200 {"extensions":["binary_tensor_data"],"name":"registry-node","#
                + #""version":"\#(ServingNode.version)"}"#)
        #expect(try await Self.get("/v2/health/live", loaded: false) == #"200 {"live":true}"#)
        #expect(try await Self.get("/v2/health/ready") == #"200 {"ready":true}"#)
        #expect(
            try await Self.get("/v2/health/ready", loaded: false) == #"503 {"error":"nothing to serve yet for digits"}"#
        )
        #expect(try await Self.get("/v2/models/digits/ready") == #"200 {"name":"digits","ready":true}"#)
        #expect(try await Self.get("/v2/models/digits/versions/7/ready") == #"200 {"name":"digits","ready":true}"#)
        #expect(
            try await Self.get("/v2/models/digits/ready", loaded: false)
                == #"503 {"error":"nothing to serve yet for 'digits'"}"#)
        #expect(
            try await Self.get("/v2/models/faces/ready")
                == #"404 {"error":"model 'faces' is not served here; there is digits"}"#)
    }

    @Test(arguments: ["/v2/models/digits", "/v2/models/digits/versions/7"]) func describesTheModel(_ path: String)
        async throws
    {
        let content = try Release(7).manifest.contentID
        let expected =
            #"200 {"inputs":[{"datatype":"FP32","name":"knn","shape":[-1,3]},"#
            + #"{"datatype":"FP32","name":"minilm","shape":[-1,3]},"#
            + #"{"datatype":"BYTES","name":"group","shape":[-1]},{"datatype":"BYTES","name":"key","shape":[-1]}],"#
            + #""name":"digits","outputs":[{"datatype":"FP64","name":"probabilities","shape":[-1,3]},"#
            + #"{"datatype":"BYTES","name":"label","shape":[-1]},"#
            + #"{"datatype":"BYTES","name":"members_missing","shape":[-1]}],"#
            + #""parameters":{"classes":["cat","dog","eel"],"#
            + #""columns":"probability","content_id":"\#(content)","generation":1,"#
            + #""optional_inputs":["group","key"],"sequence":7},"platform":"ensemble-registry","#
            + #""versions":["7"]}"#
        #expect(try await Self.get(path) == expected)
    }
}

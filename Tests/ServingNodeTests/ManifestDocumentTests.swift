import EnsembleModel
import Testing

@testable import ServingNode

@Suite struct ManifestDocumentTests {
    struct BadManifest: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let reason: String
        let bytes: @Sendable () throws -> [UInt8]

        init(_ description: String, says reason: String, _ bytes: @escaping @Sendable () throws -> [UInt8]) {
            testDescription = description
            self.reason = reason
            self.bytes = bytes
        }

        /// A manifest with its text changed.
        init(_ description: String, says reason: String, replacing part: String, with other: String) {
            self.init(description, says: reason) {
                let text = String(decoding: try Release(1).bytes, as: UTF8.self)
                #expect(text.contains(part))
                return Array(text.replacing(part, with: other).utf8)
            }
        }
    }

    static let bad: [BadManifest] = [
        BadManifest("no JSON", says: "cannot be read") { Array("manifest".utf8) },
        BadManifest("empty", says: "cannot be read") { [] },
        BadManifest("too long", says: "bytes; the limit is") { [UInt8](repeating: 0x20, count: 5 << 20) },
        BadManifest("space", says: "not in canonical form", replacing: "\"schema\":1", with: "\"schema\": 1"),
        BadManifest(
            "unknown key", says: "not in canonical form", replacing: "\"schema\":1", with: "\"schema\":1,\"x\":1"),
        BadManifest(
            "key twice", says: "not in canonical form", replacing: "\"schema\":1", with: "\"schema\":1,\"schema\":1"),
        BadManifest("other layout", says: "is of schema 2", replacing: "\"schema\":1", with: "\"schema\":2"),
        BadManifest(
            "unknown columns", says: "its columns are 'rank'; this node makes probability, probability+group: update",
            replacing: "\"combiner\":", with: "\"columns\":\"rank\",\"combiner\":"),
        BadManifest(
            "columns that are not its content's", says: "content_id",
            replacing: "\"combiner\":", with: "\"columns\":\"probability+group\",\"combiner\":"),
        BadManifest("other content", says: "content_id", replacing: "\"eel\"", with: "\"fox\""),
        BadManifest("sequence 0", says: "begin with 1") { try Release(0).bytes },
        BadManifest("class twice", says: "classes") { try Release(1, classes: ["cat", "dog", "cat"]).bytes },
        BadManifest("one class", says: "classes") { try Release(1, classes: ["cat"]).bytes },
        BadManifest("other ensemble", says: "manifest of 'faces'") {
            let right = try Release(1).manifest
            return try Manifest(
                ensemble: "faces", generation: 1, sequence: 1, previousSHA256: nil, createdAt: 0, reason: .founding,
                admission: .shapleyTopK, decisionID: 1, classes: right.classes, members: right.members,
                combiner: right.combiner, columns: right.columns, golden: right.golden
            ).canonicalBytes()
        },
        BadManifest("other format", says: "lightgbm-text-v4 is read") {
            var reference = Manifest.CombinerReference(TextModel.two.combiner)
            reference.format = "onnx"
            return try Release(1, combiner: reference).bytes
        },
        BadManifest("huge combiner", says: "are read") {
            var reference = Manifest.CombinerReference(TextModel.two.combiner)
            reference.bytes = 1 << 40
            return try Release(1, combiner: reference).bytes
        },
    ]

    @Test(arguments: bad) func refuses(_ manifest: BadManifest) throws {
        let bytes = try manifest.bytes()
        let error = try #require(throws: NodeError.self) {
            try ManifestDocument(bytes: bytes, ensemble: "digits", limits: NodeLimits())
        }
        #expect(error.code == .invalidManifest)
        #expect(error.message.contains(manifest.reason))
    }

    @Test func namesATensorByItsVersionWhereTheModelsNameStandsForTwoThings() throws {
        let members = try ["knn@1", "knn@2", "key@1"].map {
            try Manifest.Member(id: ModelVersionID($0), metadata: ModelMetadata())
        }
        let manifest = try Manifest(
            ensemble: "digits", generation: 1, sequence: 1, previousSHA256: nil, createdAt: 0, reason: .founding,
            admission: .shapleyTopK,
            decisionID: 1, classes: Release.classes, members: members, combiner: .init(TextModel.three.combiner),
            columns: .probability, golden: TextModel.three.combiner.golden)
        let limits = NodeLimits()
        let document = try ManifestDocument(bytes: manifest.canonicalBytes(), ensemble: "digits", limits: limits)
        let loaded = try LoadedEnsemble(document, combinerText: TextModel.three.bytes, limits: limits)
        #expect(loaded.tensorNames == ["knn@1", "knn@2", "key@1"])
        #expect(try Release(1).loaded().tensorNames == ["knn", "minilm"])
    }
}

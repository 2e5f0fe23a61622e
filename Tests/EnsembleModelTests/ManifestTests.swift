import EnsembleModel
import Foundation
import Testing

@Suite("Manifest")
struct ManifestTests {
    private static let digest = String(repeating: "ab", count: 32)
    private static let combiner = #"{"bytes":7,"format":"lightgbm-text-v4","sha256":"\#(digest)","trees":3}"#
    private static let members = #"[{"model":"knn","version":"1"}]"#

    /// The bytes of a manifest, as they were before there was a choice of columns where `columns` is empty.
    private static func text(columns: String = "", groups: String = "") -> String {
        let content =
            #"{"classes":["a","b"],"# + columns + #""combiner":\#(combiner),"ensemble":"pets","members":\#(members)}"#
        // Keys are sorted: "columns" comes before "combiner".
        return #"{"admission":"gated","classes":["a","b"],"# + columns
            + #""combiner":\#(combiner),"content_id":"\#(ContentDigest.of(content).hex)","created_at":5,"#
            + #""decision_id":9,"ensemble":"pets","generation":1,"golden":{"# + groups
            + #""inputs":[["3f000000","3f000000"]],"raw_scores":[["3fe0000000000000","bfe0000000000000"]]},"#
            + #""members":\#(members),"reason":"founding","schema":1,"sequence":1}"#
    }

    private func manifest(_ columns: Policy.Columns, groups: [Int]? = nil) throws -> Manifest {
        try Manifest(
            ensemble: "pets", generation: 1, sequence: 1, previousSHA256: nil, createdAt: 5, reason: .founding,
            admission: .gated, decisionID: 9, classes: ["a", "b"],
            members: [.init(id: ModelVersionID("knn@1"), metadata: ModelMetadata())],
            combiner: .init(sha256: ContentDigest(hex: Self.digest), bytes: 7, trees: 3), columns: columns,
            golden: GoldenRows(inputs: [[0.5, 0.5]], groups: groups, rawScores: [[0.5, -0.5]]))
    }

    @Test("with columns probability the bytes are those from before there was a choice, and those read the same")
    func probability() throws {
        let manifest = try manifest(.probability)
        #expect(String(decoding: try manifest.canonicalBytes(), as: UTF8.self) == Self.text())
        let read = try JSONDecoder().decode(Manifest.self, from: Data(Self.text().utf8))
        #expect(read == manifest && read.columns == .probability && read.golden.groups == nil)
    }

    @Test("other columns are stated, are part of the content, and are read back")
    func groups() throws {
        let manifest = try manifest(.probabilityAndGroup, groups: [0])
        let text = Self.text(columns: #""columns":"probability+group","#, groups: #""groups":[0],"#)
        #expect(String(decoding: try manifest.canonicalBytes(), as: UTF8.self) == text)
        let read = try JSONDecoder().decode(Manifest.self, from: Data(text.utf8))
        #expect(read == manifest && read.columns == .probabilityAndGroup && read.golden.groups == [0])
        #expect(try manifest.contentID != self.manifest(.probability).contentID)
    }
}

import EnsembleModel
import Ingest
import Testing

@Suite("Uploads of labels")
struct LabelIngestTests {
    static let classes = ["cat", "dog"]

    @Test("Group and slice may be left out, columns may come in any order", arguments: [nil, 1, 5])
    func accepted(pieceBytes: Int?) throws {
        func set(_ text: String) throws -> ValidationSet {
            var upload = Upload(Array(text.utf8).gzipped())
            upload.gzip = true
            upload.pieceBytes = pieceBytes
            return try upload.labels(classes: Self.classes).get()
        }
        let plain = try ValidationSet(
            classes: Self.classes, rows: [.init(id: "a", label: 1), .init(id: "b", label: 0)])
        #expect(try set("id,label\nb,cat\na,dog\n") == plain)
        #expect(try set("\u{FEFF}label,id,slice,group\r\ncat,b,,\r\n\"dog\",\"a\",,") == plain)
        let full = try ValidationSet(
            classes: Self.classes,
            rows: [.init(id: "a", label: 1, group: "q,1", slice: "us"), .init(id: "b", label: 0, slice: "us")])
        #expect(try set("id,label,group,slice\nb,cat,,us\na,dog,\"q,1\",us\n") == full)
    }

    static let refused: [(String, [IngestFault.Code], Int?)] = [
        ("", [.emptyFile], nil),
        ("id,label\n", [.noRows], nil),
        ("id,class\na,cat\n", [.missingColumn, .unknownColumn], 1),
        ("id,label,label\na,cat,cat\n", [.duplicateColumn], 1),
        ("id,label,locale\na,cat,us\n", [.unknownColumn], 1),
        ("id,label\na,cat\na,dog\n", [.duplicateID], 3),
        ("id,label\na,cat\nb,eel\n", [.unknownClass], 3),
        ("id,label\na,cat\nb,\n", [.unknownClass], 3),
        ("id,label\na,cat\n,dog\n", [.emptyID], 3),
        ("id,label\na,cat\nb\n", [.columnCount], 3),
        ("label,id\ncat\n", [.columnCount], 2),
        ("id,label\n\"a,cat\n", [.quoting], 2),
        ("id,label\na\u{0}b,cat\n", [.invalidText], 2),
        ("id,label,group\na,cat,\"x\ny\"\n", [.invalidText], 2),
        ("id,label,slice\na,cat,\(String(repeating: "x", count: 2000))\n", [.invalidText], 2),
        ("id,label\na,eel\n,cat\nb,cat\nb,cat", [.emptyID, .duplicateID, .unknownClass], nil),
    ]

    @Test("Faults are named by kind and line", arguments: refused)
    func refusal(text: String, codes: [IngestFault.Code], line: Int?) {
        let result = Upload(text).labels(classes: Self.classes)
        #expect(result.codes == codes)
        guard let line else { return }
        #expect(result.fault(codes[0])?.examples.first?.line == line)
    }

    @Test("Ids that are not UTF-8 are refused")
    func encoding() {
        #expect(
            Upload(Array("id,label\n".utf8) + [0xFF] + Array(",cat\n".utf8)).labels(classes: Self.classes).codes == [
                .invalidUTF8
            ])
    }

    @Test("One class is not enough")
    func classes() {
        let result = Upload("id,label\na,cat\n").labels(classes: ["cat"])
        #expect(throws: IngestError.self) { try result.get() }
    }
}

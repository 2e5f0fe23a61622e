import EnsembleModel
import Foundation
import Ingest
import Testing

@Suite("Uploads that are refused")
struct RefusedUploadTests {
    struct Case: CustomTestStringConvertible, Sendable {
        var text: String
        var codes: [IngestFault.Code]
        var line: Int?
        var id: String?
        var testDescription: String { "\(codes.map(\.rawValue)) \(text.prefix(60).debugDescription)" }
    }

    static func row(_ line: Int, _ row: String, _ codes: [IngestFault.Code], id: String?) -> Case {
        Case(text: Small.text(line: line, row), codes: codes, line: line + 1, id: id)
    }

    static let rows: [Case] = [
        row(5, "zz,1,0,0", [.unknownID], id: "zz"),
        row(5, "z\u{0}\u{7}z,1,0,0", [.unknownID], id: "z\u{FFFD}\u{FFFD}z"),
        row(5, "r2,1,0,0", [.duplicateID], id: "r2"),
        row(5, ",1,0,0", [.emptyID], id: nil),
        row(2, "r2,1,0", [.columnCount], id: "r2"),
        row(2, "r2,1,0,0,", [.columnCount], id: "r2"),
        row(2, "r2", [.columnCount], id: "r2"),
        row(2, "r2,1,0,", [.notANumber], id: "r2"),
        row(2, "r2,1,0,0x1p-3", [.notANumber], id: "r2"),
        row(2, "r2,1,0,1e", [.notANumber], id: "r2"),
        row(2, "r2,1,0,.", [.notANumber], id: "r2"),
        row(2, "r2,1,0,1.5.2", [.notANumber], id: "r2"),
        row(2, "r2,1,0,null", [.notANumber], id: "r2"),
        row(2, "r2,1,0,nan", [.notFinite], id: "r2"),
        row(2, "r2,nan,nan,nan", [.notFinite], id: "r2"),
        row(2, "r2,1,0,-Infinity", [.notFinite, .negative], id: "r2"),
        row(2, "r2,1,0,1e999", [.notFinite], id: "r2"),
        row(2, "r2,1,0.1,-0.1", [.negative], id: "r2"),
        row(2, "r2,.9,0.0989,0", [.sum], id: "r2"),
        row(2, "r2,.9,0.1011,0", [.sum], id: "r2"),
        row(2, "r2,0,0,0", [.sum], id: "r2"),
        row(5, "zz,2,2,2", [.unknownID, .sum], id: "zz"),
        row(5, "\"r2,1,0,0", [.quoting], id: nil),
        row(5, "\"zz\"z,1,0,0", [.quoting], id: nil),
    ]

    @Test("A faulty row is named by kind, line and id", arguments: rows)
    func faultyRow(example: Case) throws {
        for pieceBytes in [nil, 1, 3] {
            var upload = Upload(example.text)
            upload.pieceBytes = pieceBytes
            let result = try upload.predictions(for: Small.validation())
            #expect(result.codes == example.codes)
            for code in example.codes {
                let fault = try #require(result.fault(code))
                #expect(fault.count == 1)
                #expect(fault.examples.map(\.line) == [example.line])
                #expect(fault.examples.map(\.id) == [example.id])
            }
        }
    }

    static let wholes: [Case] = [
        Case(text: "", codes: [.emptyFile]),
        Case(text: "\n\r\n", codes: [.noRows]),
        Case(text: Small.header + "\n", codes: [.noRows]),
        Case(text: Small.header, codes: [.noRows]),
        Case(text: "key,cat,dog,\"a,b\"\nr1,1,0,0\n", codes: [.missingColumn, .unknownColumn]),
        Case(text: "id,cat,dog\nr1,1,0\n", codes: [.missingColumn]),
        Case(text: "id,cat,dog,\"a,b\",eel\nr1,1,0,0,0\n", codes: [.unknownColumn]),
        Case(text: "id,cat,cat,dog,\"a,b\"\n", codes: [.duplicateColumn]),
        Case(text: "id,dog,cat,\"a,b\"\nr1,1,0,0\n", codes: [.columnOrder]),
        Case(text: "cat,dog,\"a,b\",id\n1,0,0,r1\n", codes: [.columnOrder]),
        Case(text: "r1,.2,.3,.5\nr2,1,0,0\n", codes: [.missingColumn, .unknownColumn]),
        Case(text: "\"id,cat\n", codes: [.quoting]),
        Case(text: "PK\u{3}\u{4}\n", codes: [.missingColumn, .unknownColumn]),
        Case(text: "id\u{0}\n", codes: [.notCSV]),
        Case(text: Small.lines[..<4].joined(separator: "\n"), codes: [.coverage, .sliceCoverage]),
    ]

    @Test("A file that is wrong as a whole is answered by kind", arguments: wholes)
    func faultyWhole(example: Case) throws {
        for pieceBytes in [nil, 1] {
            var upload = Upload(example.text)
            upload.pieceBytes = pieceBytes
            #expect(try upload.predictions(for: Small.validation()).codes == example.codes)
        }
    }

    @Test("Wrong columns and their wrong order are spelt out")
    func headerMessages() throws {
        let missing = try Upload("id,cat,eel\n").predictions(for: Small.validation())
        #expect(
            missing.fault(.missingColumn)?.message
                == "the header lacks 'dog', 'a,b'; the header must be `id,cat,dog,a,b`")
        #expect(missing.fault(.missingColumn)?.count == 2)
        let order = try Upload("id,dog,cat,\"a,b\"\n").predictions(for: Small.validation())
        #expect(
            order.fault(.columnOrder)?.message
                == "the columns are in the wrong order: expected `id,cat,dog,a,b`, found `id,dog,cat,a,b`")
    }

    @Test("All kinds of faults are found in one pass, with the first twenty examples of each")
    func allKinds() throws {
        let bad = (0..<50).map { "zz\($0),1,0,0" } + ["r1,1,0,0", "", "r2,x,0,0", ",-1,2,0", "r3,1"]
        let result = try Upload(Small.text(line: 2, bad.joined(separator: "\n"))).predictions(for: Small.validation())
        #expect(result.codes == [.columnCount, .emptyID, .unknownID, .duplicateID, .notANumber, .negative])
        let unknown = try #require(result.fault(.unknownID))
        #expect(unknown.count == 50)
        #expect(unknown.examples.count == 20)
        #expect(unknown.examples.map(\.line) == (3..<23).map { $0 })
        #expect(result.fault(.notANumber)?.examples.first?.line == 55)
    }

    @Test("Coverage under the limit names the slices and the missing rows")
    func coverage() throws {
        let rows = (100..<1100).map { ValidationSet.Row(id: "r\($0)", label: 0, slice: $0 < 150 ? "small" : "large") }
        let validation = try ValidationSet(classes: ["x", "y"], rows: rows)
        func result(without missing: Range<Int>) -> Result<Predictions, IngestError> {
            Upload("id,x,y\n" + rows.indices.filter { !missing.contains($0) }.map { "\(rows[$0].id),0,1\n" }.joined())
                .predictions(for: validation)
        }
        #expect(result(without: 0..<1).codes == [])
        #expect(result(without: 500..<510).codes == [])
        #expect(result(without: 500..<511).codes == [.coverage])
        let slice = result(without: 0..<2)
        #expect(slice.codes == [.sliceCoverage])
        #expect(slice.fault(.sliceCoverage)?.message.contains("'small (48 of 50)'") == true)
        #expect(slice.fault(.sliceCoverage)?.examples.map(\.id) == ["r100", "r101"])
        #expect(result(without: 0..<20).codes == [.coverage, .sliceCoverage])
    }

    @Test("Of many slices without enough rows the first are named")
    func manySlices() throws {
        let rows = (100..<600).map { ValidationSet.Row(id: "r\($0)", label: 0, slice: "s\($0 / 100)") }
        let validation = try ValidationSet(classes: ["x", "y"], rows: rows)
        let faults = Upload("id,x,y\n" + rows.filter { !$0.id.hasSuffix("9") }.map { "\($0.id),0,1\n" }.joined())
            .predictions(for: validation)
        let names = "'s1 (90 of 100)', 's2 (90 of 100)', 's3 (90 of 100)' and 2 more"
        #expect(faults.fault(.sliceCoverage)?.message.hasSuffix(names) == true)
    }

    @Test("Text in another encoding is refused by row or as a whole")
    func encodings() throws {
        let latin = Array("\(Small.text)\u{0}".utf8).dropLast() + [0xE9, 0x2C, 0x31, 0x2C, 0x30, 0x2C, 0x30, 0x0A]
        #expect(try Upload(Array(latin)).predictions(for: Small.validation()).codes == [.invalidUTF8])
        let wide = Data([0xFF, 0xFE]) + (Small.text.data(using: .utf16LittleEndian) ?? Data())
        #expect(try Upload(Array(wide)).predictions(for: Small.validation()).codes == [.notCSV])
        var random = SeededGenerator(state: 3)
        let junk = (0..<200_000).map { _ in UInt8.random(in: 0...255, using: &random) }
        #expect(try Upload(junk).predictions(for: Small.validation()).codes == [.notCSV])
    }

    @Test(
        "A line that is too long is passed over, an open quote swallows no more than that", arguments: [nil, 1, 10, 50])
    func longLines(pieceBytes: Int?) throws {
        var upload = Upload(Small.text(line: 1, "\"r1,.2,.3,.5\n" + Small.lines[2]))
        upload.bytes = Array(
            (Small.lines[..<2] + [String(repeating: "9", count: 200), "\"r9,1,0,0"] + (0..<20).map { "q\($0),1,0,0" }
                + Small.lines[2...])
                .joined(separator: "\n").utf8)
        upload.limits.maximumLineBytes = 100
        upload.pieceBytes = pieceBytes
        let result = try upload.predictions(for: Small.validation())
        #expect(result.codes == [.lineTooLong, .unknownID])
        #expect(result.fault(.lineTooLong)?.examples.map(\.line) == [3, 4])
        #expect(result.fault(.unknownID)?.count == 9)
        #expect(result.fault(.unknownID)?.examples.first?.line == 16)
    }

    @Test("An error met once is met again")
    func errorsStay() throws {
        let ingest = try PredictionIngest(
            format: .csv, gzip: false, validation: ValidationIndex(Small.validation()),
            spoolDirectory: FileManager.default.temporaryDirectory.path)
        let wrong = Array("id,cat\n".utf8)
        let first = #expect(throws: IngestError.self) { try wrong.withUnsafeBytes { try ingest.consume($0) } }
        let second = #expect(throws: IngestError.self) { try wrong.withUnsafeBytes { try ingest.consume($0) } }
        let last = #expect(throws: IngestError.self) { try ingest.finish() }
        #expect(first == second && second == last)
    }

    @Test("A directory that is not there is this machine's fault")
    func spoolDirectory() throws {
        let error = #expect(throws: IngestError.self) {
            try PredictionIngest(
                format: .csv, gzip: false, validation: ValidationIndex(Small.validation()),
                spoolDirectory: "/nonexistent/directory")
        }
        #expect(error?.code == .spool)
        #expect(error?.message.contains("/nonexistent/directory: No such file") == true)
    }
}

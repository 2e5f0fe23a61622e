import EnsembleModel
import Foundation
import Ingest
import RegistryTesting
import Testing

@Suite("Uploads that are accepted")
struct AcceptedUploadTests {
    static let sameRows: [String] = [
        Small.text,
        String(Small.text.dropLast()),
        "\u{FEFF}" + Small.text,
        Small.lines.joined(separator: "\r\n") + "\r\n",
        Small.lines.joined(separator: "\n\n\n"),
        ([Small.header] + Small.lines.dropFirst().reversed()).joined(separator: "\n"),
        Small.text(line: 1, #""r1",".2",0.3," 5E-1 ""#),
        Small.text(line: 2, "r2, +1.0 ,-0.0e5,0."),
    ]

    @Test("Line ends, quotes, blanks, byte order mark and order of rows make no difference", arguments: sameRows)
    func layout(text: String) throws {
        let predictions = try Upload(text).predictions(for: Small.validation()).get()
        #expect(predictions.values == Small.values)
    }

    @Test("Where the pieces are cut makes no difference", arguments: [1, 2, 3, 7, 64])
    func pieces(pieceBytes: Int) throws {
        for text in Self.sameRows {
            var upload = Upload(text)
            upload.pieceBytes = pieceBytes
            #expect(try upload.predictions(for: Small.validation()).get().values == Small.values)
            upload.bytes = upload.bytes.gzipped()
            upload.gzip = true
            #expect(try upload.predictions(for: Small.validation()).get().values == Small.values)
        }
    }

    @Test("A gzip stream may have several members, also empty ones")
    func members() throws {
        let bytes = Array(Small.text.utf8)
        var upload = Upload(bytes[..<20].map(\.self).gzipped() + [UInt8]().gzipped() + Array(bytes[20...]).gzipped())
        upload.gzip = true
        #expect(try upload.predictions(for: Small.validation()).get().values == Small.values)
    }

    @Test("Ids may hold commas, quotes and line breaks")
    func quotedIDs() throws {
        let ids = ["a,1", "b\"2", "c\n3", "d\r\n4", "é"]
        let validation = try ValidationSet(classes: ["x", "y"], rows: ids.map { .init(id: $0, label: 0) })
        let rows = ids.map { "\"\($0.replacingOccurrences(of: "\"", with: "\"\""))\",.5,.5" }
        for pieceBytes in [1, 4, 1000] {
            var upload = Upload("id,x,y\n" + rows.joined(separator: "\n"))
            upload.pieceBytes = pieceBytes
            #expect(try upload.predictions(for: validation).get().rowCount == 5)
        }
    }

    @Test("A sum that is off by no more than a thousandth is kept as given")
    func tolerance() throws {
        for row in ["r1,.333,.333,.333", "r1,.334,.334,.333"] {
            let values = try Upload(Small.text(line: 1, row)).predictions(for: Small.validation()).get().values
            #expect(values[2] == Float(0.333))
        }
    }

    @Test("Rows missing within the limits are NaN", arguments: [UploadFormat.csv, .npy])
    func missingRows(format: UploadFormat) throws {
        let validation = try ValidationSet(
            classes: ["x", "y"], rows: (100..<300).map { .init(id: "r\($0)", label: 0) })
        let missing: Set<Int> = [7, 130]
        var upload: Upload
        if format == .csv {
            let rows = (0..<200).filter { !missing.contains($0) }.map { "r\(100 + $0),.25,.75\n" }
            upload = Upload("id,x,y\n" + rows.shuffled().joined())
        } else {
            upload = Upload(
                NPY.file(
                    shape: "(200, 2)",
                    (0..<200).flatMap { missing.contains($0) ? [.nan, .nan] : [0.25, 0.75] as [Float] }))
            upload.format = .npy
        }
        let predictions = try upload.predictions(for: validation).get()
        #expect((0..<200).filter { predictions.isMissing(row: $0) } == missing.sorted())
    }

    @Test("Rows in any order over several blocks come back in row-id order")
    func blocks() async throws {
        let count = 2 * SpooledPredictions.rowsPerBlock + 4321
        let validation = try ValidationSet(
            classes: ["x", "y"], rows: (0..<count).map { .init(id: String($0), label: 0, group: "g", slice: "s") })
        func row(_ id: String) -> String {
            "\(id),\(Double(Int(id) ?? 0) / 262_144),\(1 - Double(Int(id) ?? 0) / 262_144)\n"
        }
        let expected = validation.rowIDs.flatMap { [Float(Int($0) ?? 0) / 262_144, 1 - Float(Int($0) ?? 0) / 262_144] }
        var random = SeededGenerator(state: 1)
        for ids in [validation.rowIDs, validation.rowIDs.shuffled(using: &random)] {
            var upload = Upload("id,x,y\n" + ids.map(row).joined())
            upload.pieceBytes = 65_536
            #expect(try upload.predictions(for: validation).get().values == expected)
        }
    }

    @Test("Blocks are passed on in order, and the file leaves no name behind")
    func withBlocks() async throws {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: directory) }
        let ingest = try PredictionIngest(
            format: .csv, gzip: false, validation: ValidationIndex(Small.validation()), spoolDirectory: directory.path)
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory.path).isEmpty)
        try Array(Small.text.utf8).withUnsafeBytes { try ingest.consume($0) }
        let spooled = try ingest.finish()
        var bytes: [UInt8] = []
        try await spooled.withBlocks { bytes += $0 }
        #expect(
            bytes == Small.values.flatMap { value in withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) } })
        #expect(spooled.missingRowCount == 0)
    }

    @Test(
        "Real prediction files read as another parser reads them", .enabled(if: SharedData.isPresent),
        arguments: SharedData.names)
    func realFiles(name: String) throws {
        let data = try SharedData.load(name)
        let folder = SharedData.root.appendingPathComponent("data/\(name)")
        let labels = try Upload(Array(Data(contentsOf: folder.appendingPathComponent("labels.csv"))))
        #expect(try labels.labels(classes: data.validation.classes).get() == data.validation)
        for model in data.models {
            let upload = try Upload(Array(Data(contentsOf: folder.appendingPathComponent("\(model.name).csv"))))
            let predictions = try upload.predictions(for: data.validation).get()
            #expect(predictions.digest == data.predictions[model]?.digest, "\(model)")
        }
    }
}

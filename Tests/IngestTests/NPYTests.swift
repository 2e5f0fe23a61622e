import EnsembleModel
import Ingest
import Testing

/// Writes NumPy array files.
enum NPY {
    static func file<Value>(
        version: UInt8 = 1, type: String = "<f4", order: String = "False", shape: String, _ values: [Value],
        dictionary: String? = nil
    ) -> [UInt8] {
        let text = dictionary ?? "{'descr': '\(type)', 'fortran_order': \(order), 'shape': \(shape), }"
        let header = Array(text.utf8) + Array(repeating: 0x20, count: 20) + [0x0A]
        let length =
            version == 1
            ? [UInt8(header.count & 0xFF), UInt8(header.count >> 8)]
            : [UInt8(header.count & 0xFF), UInt8(header.count >> 8), 0, 0]
        return [0x93] + Array("NUMPY".utf8) + [version, 0] + length + header + values.withUnsafeBytes { Array($0) }
    }
}

@Suite("NumPy uploads")
struct NPYTests {
    static func result(_ bytes: [UInt8], pieceBytes: Int? = nil) throws -> Result<Predictions, IngestError> {
        var upload = Upload(bytes)
        upload.format = .npy
        upload.pieceBytes = pieceBytes
        return try upload.predictions(for: Small.validation())
    }

    @Test("Versions 1 to 3, both widths, however the pieces are cut", arguments: [nil, 1, 2, 3, 7])
    func accepted(pieceBytes: Int?) throws {
        for version: UInt8 in [1, 2, 3] {
            let single = NPY.file(version: version, shape: "(4, 3)", Small.values)
            #expect(try Self.result(single, pieceBytes: pieceBytes).get().values == Small.values)
            let double = NPY.file(version: version, type: "<f8", shape: "(4L, 3L,)", Small.values.map(Double.init))
            #expect(try Self.result(double, pieceBytes: pieceBytes).get().values == Small.values)
        }
        let reordered = NPY.file(
            shape: "", Small.values, dictionary: "{\"shape\":(4,3),\"fortran_order\":False,\"descr\":\"<f4\"}")
        #expect(try Self.result(reordered, pieceBytes: pieceBytes).get().values == Small.values)
    }

    static let refused: [([UInt8], [IngestFault.Code])] = [
        (Array(Small.text.utf8), [.notNPY]),
        ([0x93], [.truncatedNPY]),
        (NPY.file(version: 4, shape: "(4, 3)", Small.values), [.notNPY]),
        (NPY.file(type: "<i8", shape: "(4, 3)", Small.values), [.npyType]),
        (NPY.file(type: ">f4", shape: "(4, 3)", Small.values), [.npyType]),
        (NPY.file(order: "True", shape: "(4, 3)", Small.values), [.npyOrder]),
        (NPY.file(shape: "(3, 4)", Small.values), [.npyShape]),
        (NPY.file(shape: "(12,)", Small.values), [.npyShape]),
        (NPY.file(shape: "()", Small.values), [.npyShape]),
        (NPY.file(type: "|O", order: "True", shape: "(4, 3, 1)", Small.values), [.npyType, .npyOrder, .npyShape]),
        (NPY.file(shape: "(4, -3)", Small.values), [.notNPY]),
        (NPY.file(shape: "(4, 3", Small.values), [.notNPY]),
        (
            NPY.file(
                shape: "", Small.values,
                dictionary: "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (4, 3)}"), [.notNPY]
        ),
        (NPY.file(shape: "", Small.values, dictionary: "{}"), [.notNPY]),
        (NPY.file(shape: "(4, 3)", Array(Small.values.dropLast())), [.truncatedNPY]),
        (Array(NPY.file(shape: "(4, 3)", Small.values).dropLast()), [.truncatedNPY]),
        (Array(NPY.file(shape: "(4, 3)", Small.values).prefix(40)), [.truncatedNPY]),
        (NPY.file(shape: "(4, 3)", Small.values + [0]), [.trailingGarbage]),
        (NPY.file(shape: "(4, 3)", [Float](repeating: .nan, count: 12)), [.coverage, .sliceCoverage]),
    ]

    @Test("What is wrong with an array file is told apart", arguments: refused)
    func refusal(bytes: [UInt8], codes: [IngestFault.Code]) throws {
        for pieceBytes in [nil, 1, 5] {
            #expect(try Self.result(bytes, pieceBytes: pieceBytes).codes == codes)
        }
    }

    @Test("Faulty rows are named by id")
    func rows() throws {
        let values: [Float] = [.nan, 0.5, 0.5, 1, -1, 1, 0.5, 0.4, 0, .infinity, 0, 0]
        let result = try Self.result(NPY.file(shape: "(4, 3)", values))
        #expect(result.codes == [.notFinite, .negative, .sum])
        #expect(result.fault(.notFinite)?.examples.map(\.id) == ["r1", "r4"])
        #expect(result.fault(.notFinite)?.examples.map(\.line) == [nil, nil])
        #expect(result.fault(.negative)?.examples.map(\.id) == ["r2"])
        #expect(result.fault(.sum)?.examples.map(\.id) == ["r3"])
    }
}

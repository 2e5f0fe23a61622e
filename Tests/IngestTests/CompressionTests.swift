import EnsembleModel
import Ingest
import Testing

@Suite("Compressed uploads and limits")
struct CompressionTests {
    static let member = Array(Small.text.utf8).gzipped()

    static func flipped(_ index: Int) -> [UInt8] {
        var bytes = member
        bytes[index < 0 ? bytes.count + index : index] ^= 0xFF
        return bytes
    }

    static let damaged: [([UInt8], [IngestFault.Code])] = [
        ([], [.emptyFile]),
        ([UInt8]().gzipped(), [.emptyFile]),
        (Array(Small.text.utf8), [.notGzip]),
        ([0x1F, 0x8C] + member, [.notGzip]),
        (Array(member.dropLast()), [.truncatedGzip]),
        (Array(member.prefix(30)), [.truncatedGzip]),
        ([0x1F], [.truncatedGzip]),
        (member + [0x1F], [.truncatedGzip]),
        (member + [0], [.trailingGarbage]),
        (member + Array("tail".utf8), [.trailingGarbage]),
        (member + [0x1F, 0x00], [.trailingGarbage]),
        (flipped(-8), [.gzipChecksum]),
        (flipped(-1), [.gzipChecksum]),
        (Array(member.prefix(10)) + [0xFF, 0xFF, 0xFF], [.corruptGzip]),
    ]

    @Test("What is wrong with a gzip stream is told apart", arguments: damaged)
    func damage(bytes: [UInt8], codes: [IngestFault.Code]) throws {
        for pieceBytes in [nil, 1, 2] {
            var upload = Upload(bytes)
            upload.gzip = true
            upload.pieceBytes = pieceBytes
            #expect(try upload.predictions(for: Small.validation()).codes == codes)
        }
    }

    @Test("Faults of rows before the damage are told too")
    func faultsBeforeDamage() throws {
        var upload = Upload(Array(Small.text(line: 2, "zz,1,1,0").utf8).gzipped().dropLast())
        upload.gzip = true
        #expect(try upload.predictions(for: Small.validation()).codes == [.truncatedGzip, .unknownID, .sum])
    }

    @Test("gzip that is not declared is recognised")
    func undeclared() throws {
        let result = try Upload(Self.member + Array("\n".utf8)).predictions(for: Small.validation())
        #expect(result.codes == [.notCSV])
        #expect(result.fault(.notCSV)?.message.contains("gzip'ed but not declared") == true)
    }

    @Test("More bytes, content, ratio or rows than the limits allow is too large")
    func limits() throws {
        func refused(_ gzip: Bool, _ set: (inout IngestLimits) -> Void) throws -> (
            IngestError.Code?, [IngestFault.Code]
        ) {
            var upload = Upload(gzip ? Self.member : Array(Small.text.utf8))
            upload.gzip = gzip
            upload.pieceBytes = 8
            set(&upload.limits)
            let result = try upload.predictions(for: Small.validation())
            guard case .failure(let error) = result else { return (nil, []) }
            return (error.code, result.codes)
        }
        let size = Small.text.utf8.count
        #expect(try refused(false) { $0.maximumBytes = size } == (nil, []))
        #expect(try refused(false) { $0.maximumBytes = size - 1 } == (.tooLarge, [.tooLarge]))
        #expect(try refused(true) { $0.maximumDecompressedBytes = size - 1 } == (.tooLarge, [.tooLarge]))
        #expect(try refused(false) { $0.maximumRows = 4 } == (nil, []))
        #expect(try refused(false) { $0.maximumRows = 3 } == (.tooLarge, [.tooManyRows]))
    }

    @Test("A decompression bomb is stopped")
    func bomb() throws {
        var upload = Upload(Array((Small.header + "\n" + String(repeating: "\n", count: 4 << 20)).utf8).gzipped())
        upload.gzip = true
        upload.limits.ratioAllowance = 1 << 20
        #expect(try upload.predictions(for: Small.validation()).codes == [.compressionRatio])
    }
}

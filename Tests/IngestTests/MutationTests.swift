import EnsembleModel
import Ingest
import Testing

@Suite("Random damage")
struct MutationTests {
    static let files: [(bytes: [UInt8], format: UploadFormat, gzip: Bool)] = [
        (Array(AcceptedUploadTests.sameRows[6].utf8), .csv, false),
        (Array(Small.text.utf8).gzipped(), .csv, true),
        (NPY.file(shape: "(4, 3)", Small.values), .npy, false),
    ]

    @Test("Damaged uploads are answered, never a crash, and the same however they are cut", arguments: 0..<3)
    func mutations(file: Int) throws {
        let (bytes, format, gzip) = Self.files[file]
        let validation = try Small.validation()
        var random = SeededGenerator(state: UInt64(file))
        for _ in 0..<2000 {
            var upload = Upload(Self.mutated(bytes, &random))
            upload.format = format
            upload.gzip = gzip
            upload.limits.maximumLineBytes = 128
            let whole = upload.predictions(for: validation)
            upload.pieceBytes = Int.random(in: 1...9, using: &random)
            let pieces = upload.predictions(for: validation)
            switch (whole, pieces) {
            case (.success(let first), .success(let second)): #expect(first.digest == second.digest)
            case (.failure(let first), .failure(let second)): #expect(first == second, "\(upload.bytes)")
            default: Issue.record("cut into \(upload.pieceBytes ?? 0) bytes the answer differs: \(upload.bytes)")
            }
        }
    }

    @Test("Damaged labels are answered, never a crash")
    func labels() {
        let bytes = Array("id,label,group,slice\nb,cat,,us\na,dog,\"q,1\",us\n".utf8)
        var random = SeededGenerator(state: 9)
        var accepted = 0
        for _ in 0..<2000 {
            if case .success = Upload(Self.mutated(bytes, &random)).labels(classes: ["cat", "dog"]) { accepted += 1 }
        }
        #expect((1..<2000).contains(accepted))
    }

    private static func mutated(_ bytes: [UInt8], _ random: inout SeededGenerator) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...4, using: &random) where !bytes.isEmpty {
            let place = Int.random(in: 0..<bytes.count, using: &random)
            let special = Array("\",\n\r.eE+-01n\0".utf8) + [0xFF, 0x1F, 0x93]
            switch Int.random(in: 0..<5, using: &random) {
            case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
            case 1: bytes[place] = special.randomElement(using: &random) ?? 0
            case 2: bytes.remove(at: place)
            case 3: bytes.insert(special.randomElement(using: &random) ?? 0, at: place)
            default: bytes.removeSubrange(place...)
            }
        }
        return bytes
    }
}

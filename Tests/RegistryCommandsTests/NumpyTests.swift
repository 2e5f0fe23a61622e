import EnsembleModel
import Foundation
import NIOCore
import Testing

@testable import RegistryCommands

/// The files were written by NumPy 2.4 (`numpy.lib.format.write_array`) from
/// `[[0.1, 0.7, 0.2], [1/3, 1e-5, 0.66665667]]`, the CSV digits are NumPy's shortest ones.
struct NumpyTests {
    static let float32 =
        """
        k05VTVBZAQB2AHsnZGVzY3InOiAnPGY0JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsIDMpLCB9ICAgICAg\
        ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIArNzMw9MzMzP83MTD6rqqo+rMUnNwOq\
        Kj8=
        """
    static let float64Version2 =
        """
        k05VTVBZAgB0AAAAeydkZXNjcic6ICc8ZjgnLCAnZm9ydHJhbl9vcmRlcic6IEZhbHNlLCAnc2hhcGUnOiAoMiwgMyksIH0gICAg\
        ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAqamZmZmZm5PwAAAGBmZuY/AAAAoJmZ\
        yT8AAABgVVXVPwAAAIC1+OQ+AAAAYEBV5T8=
        """
    static let float32Version3 =
        """
        k05VTVBZAwB0AAAAeydkZXNjcic6ICc8ZjQnLCAnZm9ydHJhbl9vcmRlcic6IEZhbHNlLCAnc2hhcGUnOiAoMiwgMyksIH0gICAg\
        ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIArNzMw9MzMzP83MTD6rqqo+rMUnNwOq\
        Kj8=
        """
    static let bigEndian =
        """
        k05VTVBZAQB2AHsnZGVzY3InOiAnPmY0JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsIDMpLCB9ICAgICAg\
        ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAo9zMzNPzMzMz5MzM0+qqqrNyfFrD8q\
        qgM=
        """

    /// Bytes in pieces of a few, as unfavourable as reads can be.
    struct Pieces: ChunkReader {
        var bytes: ArraySlice<UInt8>
        var size: Int

        init(_ bytes: some Sequence<UInt8>, size: Int = 7) {
            self.bytes = Array(bytes)[...]
            self.size = size
        }

        mutating func next() throws -> ByteBuffer? {
            guard !bytes.isEmpty else { return nil }
            defer { bytes = bytes.dropFirst(size) }
            return ByteBuffer(bytes: bytes.prefix(size))
        }
    }

    static func bytes(_ base64: String) throws -> [UInt8] { Array(try #require(Data(base64Encoded: base64))) }

    static func csv(
        _ file: [UInt8], ids: String, isCSV: Bool = false, classes: [String] = ["x", "y,z", "q"], size: Int = 7
    ) throws -> String {
        var reader = try NumpyCSV(
            values: Pieces(file, size: size), ids: RowIDs(Pieces(ids.utf8, size: size), name: "ids", isCSV: isCSV),
            classes: classes, names: ("p.npy", "ids"))
        var text = ""
        while let chunk = try reader.next() { text += String(buffer: chunk) }
        return text
    }

    @Test(arguments: [(float32, NumpyHeader.Element.float32), (float64Version2, .float64), (float32Version3, .float32)])
    func headersOfAllVersionsAreRead(_ file: String, _ element: NumpyHeader.Element) throws {
        var reader = ByteReader(Pieces(try Self.bytes(file)))
        let header = try NumpyHeader(&reader, name: "p.npy")
        #expect(header.element == element)
        #expect(header.rowCount == 2)
        #expect(header.columnCount == 3)
    }

    @Test(arguments: [
        ("{'descr': '>f4', 'fortran_order': False, 'shape': (2, 3), }", "little-endian"),
        ("{'descr': '<i8', 'fortran_order': False, 'shape': (2, 3), }", "float32 or float64"),
        ("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", "Fortran order"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (6,), }", "shape"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 0), }", "shape"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 99999999999999999999), }", "not understood"),
        ("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 3), }", "not understood"),
        ("{'descr': '<f4', 'descr': '<f8', 'fortran_order': False, 'shape': (2, 3)}", "not understood"),
        ("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)} x", "not understood"),
        ("{'descr': '<f4', 'fortran_order': False", "not understood"), ("", "not understood"),
    ])
    func otherHeadersAreRefused(_ dictionary: String, _ hint: String) throws {
        let error = try #require(throws: CommandError.self) { try NumpyHeader(dictionary: dictionary, name: "p.npy") }
        #expect(error.message.contains(hint), "\(error.message)")
    }

    @Test func brokenBeginningsAreRefused() throws {
        let whole = try Self.bytes(Self.float32)
        var version = whole
        version[6] = 4
        let endlessHeader = Array(whole.prefix(6)) + [2, 0, 0xFF, 0xFF, 0xFF, 0xFF]
        for bytes in [
            [], Array("id,a,b\n".utf8), Array(whole.prefix(60)), Array(whole.prefix(9)), version, endlessHeader,
        ] {
            var reader = ByteReader(Pieces(bytes))
            #expect(throws: CommandError.self) { try NumpyHeader(&reader, name: "p.npy") }
        }
    }

    static let expected = """
        id,x,"y,z",q
        r1,0.1,0.7,0.2
        "r,""2",0.33333334,1e-05,0.6666567

        """

    @Test(arguments: [float32, float64Version2, float32Version3], [1, 7, 1000])
    func tablesBecomeCSV(_ file: String, _ size: Int) throws {
        #expect(try Self.csv(Self.bytes(file), ids: "r1\r\nr,\"2\n", size: size) == Self.expected)
        let ids = "\u{FEFF}group,id\n\"a\nb\",r1\nc,\"r,\"\"2\"\n"
        #expect(try Self.csv(Self.bytes(file), ids: ids, isCSV: true, size: size) == Self.expected)
    }

    @Test func sentLinesAreFoundInTheIDs() throws {
        func lines(_ text: String, isCSV: Bool) throws -> [Int: Int] {
            try NumpyCSV.lines(of: RowIDs(Pieces(text.utf8), name: "ids", isCSV: isCSV), forSent: [1, 2, 4, 9])
        }
        #expect(try lines("a\nb\nc\nd\n", isCSV: false) == [2: 1, 4: 3])
        #expect(try lines("id\na\nb\nc\n", isCSV: true) == [2: 2, 4: 4])
        #expect(try lines("id,note\na,\"x\ny\"\nb,\nc,\n", isCSV: true) == [2: 2, 4: 5])
        // An id of two lines takes two lines of what is sent, too.
        #expect(try lines("id\n\"a\nb\"\nc\n", isCSV: true) == [2: 2, 4: 4])
    }

    @Test func countsMustAgree() throws {
        let file = try Self.bytes(Self.float32)
        func message(_ body: () throws -> String) throws -> String {
            try #require(throws: CommandError.self) { try body() }.message
        }
        #expect(try message { try Self.csv(file, ids: "r1\n") }.contains("has 1 ids, p.npy 2 rows"))
        #expect(try message { try Self.csv(file, ids: "r1\nr2\nr3\n") }.contains("more ids than"))
        #expect(try message { try Self.csv(file, ids: "r1\n\nr3\n") }.contains("empty line 2"))
        let long = String(repeating: "x", count: 70_000)
        #expect(try message { try Self.csv(file, ids: long, size: 4096) }.contains("longer than 65536 bytes"))
        #expect(try message { try Self.csv(file, ids: "id\n" + long, isCSV: true, size: 4096) }.contains("longer than"))
        #expect(try message { try Self.csv(file, ids: "x\nr1\n", isCSV: true) }.contains("no column named id"))
        #expect(try message { try Self.csv(file.dropLast(), ids: "r1\nr2") }.contains("cut short"))
        #expect(try message { try Self.csv(file + [0], ids: "r1\nr2") }.contains("goes on after"))
        #expect(
            try message { try Self.csv(file, ids: "r1\nr2", classes: ["a", "b"]) }.contains("3 columns, the ensemble 2")
        )
        #expect(try message { try Self.csv(Self.bytes(Self.bigEndian), ids: "r1\nr2") }.contains("little-endian"))
    }

    /// Two members, made by Python's gzip.
    static let gzip = "H4sIAAAAAAACA8tIzcnJVwAA9vmB7QYAAAAfiwgAAAAAAAIDK88vyknhAgCoYTjdBgAAAA=="

    @Test(arguments: [1, 7, 1000])
    func gzipOfSeveralMembersIsRead(_ size: Int) throws {
        var reader = try Gunzip(Pieces(Self.bytes(Self.gzip), size: size), name: "x.gz")
        var text = ""
        while let chunk = try reader.next() { text += String(buffer: chunk) }
        #expect(text == "hello world\n")
    }

    @Test func brokenGzipIsRefused() throws {
        let whole = try Self.bytes(Self.gzip)
        for bytes in [
            [], Array(whole.dropLast()), Array(whole.prefix(12)), Array("plain text".utf8), whole + Array("junk".utf8),
        ] {
            var reader = try Gunzip(Pieces(bytes), name: "x.gz")
            #expect(throws: CommandError.self) { while try reader.next() != nil {} }
        }
    }
}

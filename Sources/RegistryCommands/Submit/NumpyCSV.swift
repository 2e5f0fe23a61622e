import NIOCore

/// Turns a NumPy table and its row ids into the registry's CSV: `id` and one column per class.
///
/// Values become float32 first, as the registry keeps them, and are written with the fewest digits that give the same
/// float32 back.
struct NumpyCSV: ChunkReader {
    private var values: ByteReader
    private var ids: RowIDs
    private let header: NumpyHeader
    private let names: (values: String, ids: String)
    private var pendingHeader: String?
    private var row = 0

    /// - Parameters:
    ///   - values: the `.npy` file.
    ///   - classes: class names in the order of the table's columns.
    init(values: any ChunkReader, ids: RowIDs, classes: [String], names: (values: String, ids: String)) throws {
        var reader = ByteReader(values)
        header = try NumpyHeader(&reader, name: names.values)
        guard header.columnCount == classes.count else {
            throw CommandError(
                .refused,
                "\(names.values) has \(header.columnCount) columns, the ensemble \(classes.count) classes: "
                    + classes.joined(separator: ", ")
            )
        }
        self.values = reader
        self.ids = ids
        self.names = names
        pendingHeader = (["id"] + classes).map(Self.field).joined(separator: ",") + "\n"
    }

    mutating func next() throws -> ByteBuffer? {
        var output = ByteBufferAllocator().buffer(capacity: FileReader.chunkBytes + 4096)
        if let text = pendingHeader {
            output.writeString(text)
            pendingHeader = nil
        }
        while row < header.rowCount, output.readableBytes < FileReader.chunkBytes {
            try writeRow(to: &output)
            row += 1
        }
        if row == header.rowCount {
            row += 1
            try checkEnds()
        }
        return output.readableBytes > 0 ? output : nil
    }

    private mutating func writeRow(to output: inout ByteBuffer) throws {
        guard let id = try ids.next() else {
            throw CommandError(
                .refused, "\(names.ids) has \(row) ids, \(names.values) \(header.rowCount) rows: one id a row is needed"
            )
        }
        guard var bytes = try values.bytes(header.columnCount * header.element.bytes) else {
            throw CommandError(
                .refused, "\(names.values) is cut short: it ends in row \(row + 1) of \(header.rowCount)")
        }
        output.writeString(Self.field(id))
        for _ in 0..<header.columnCount {
            let value: Float =
                switch header.element {
                case .float32: Float(bitPattern: bytes.readInteger(endianness: .little) ?? 0)
                case .float64: Float(Double(bitPattern: bytes.readInteger(endianness: .little) ?? 0))
                }
            output.writeString(",")
            output.writeString(value.description)
        }
        output.writeString("\n")
    }

    private mutating func checkEnds() throws {
        guard try values.byte() == nil else {
            throw CommandError(.refused, "\(names.values) goes on after its \(header.rowCount) rows")
        }
        guard try ids.next() == nil else {
            throw CommandError(.refused, "\(names.ids) has more ids than \(names.values) has rows (\(header.rowCount))")
        }
    }

    /// The lines of an ids file that stand for lines of the CSV made with it.
    static func lines(of ids: RowIDs, forSent sent: Set<Int>) throws -> [Int: Int] {
        var ids = ids
        var lines: [Int: Int] = [:]
        var line = 2  // After the header.
        while let last = sent.max(), line <= last, let id = try ids.next() {
            if sent.contains(line) { lines[line] = ids.line }
            line += 1 + id.utf8.count { $0 == UInt8(ascii: "\n") }
        }
        return lines
    }

    /// A CSV field, quoted where it must be.
    private static func field(_ text: String) -> String {
        let needsQuotes = text.utf8.contains { byte in
            switch byte {
            case UInt8(ascii: ","), UInt8(ascii: "\""), UInt8(ascii: "\n"), UInt8(ascii: "\r"): true
            default: false
            }
        }
        return needsQuotes ? "\"" + text.replacing("\"", with: "\"\"") + "\"" : text
    }
}

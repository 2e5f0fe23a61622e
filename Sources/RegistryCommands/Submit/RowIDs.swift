import NIOCore

/// Row ids out of a text file with one a line, or out of the column `id` of a CSV file.
struct RowIDs {
    private var reader: ByteReader
    private let name: String
    private var column: Int?
    /// Line that the last id's record begins with, 1 = first.
    private(set) var line = 0
    private var linesRead = 0

    /// Longest line or field accepted.
    private static let maximumBytes = 64 << 10

    /// - Parameter isCSV: whether the first record names columns.
    init(_ source: any ChunkReader, name: String, isCSV: Bool) throws {
        reader = ByteReader(source)
        self.name = name
        if try reader.peek() == 0xEF { _ = try reader.bytes(3) }
        guard isCSV else { return }
        guard let header = try record(), let column = header.firstIndex(of: "id") else {
            throw CommandError(.usage, "\(name) has no column named id: its first line must name the columns")
        }
        self.column = column
    }

    /// The next id; nil at the end.
    mutating func next() throws -> String? {
        line = linesRead + 1
        guard let column else {
            linesRead += 1
            guard let id = try textLine() else { return nil }
            guard !id.isEmpty else {
                throw CommandError(.usage, "\(name) has an empty line \(line) where an id should be")
            }
            return id
        }
        guard let record = try record() else { return nil }
        guard record.indices.contains(column), !record[column].isEmpty else {
            throw CommandError(.usage, "\(name) has no id in line \(line)")
        }
        return record[column]
    }

    private mutating func textLine() throws -> String? {
        guard try reader.peek() != nil else { return nil }
        guard var bytes = try reader.line(upTo: Self.maximumBytes) else {
            throw CommandError(
                .usage, "\(name) has a line longer than \(Self.maximumBytes) bytes: is it a file of row ids?")
        }
        if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        return try Self.text(bytes, name)
    }

    /// The fields of one CSV record (RFC 4180).
    private mutating func record() throws -> [String]? {
        guard try reader.peek() != nil else { return nil }
        var fields: [String] = []
        var field: [UInt8] = []
        var isQuoted = false
        var total = 0
        while let byte = try reader.byte() {
            total += 1
            try Self.check(total, name)
            if byte == UInt8(ascii: "\n") { linesRead += 1 }
            switch byte {
            case UInt8(ascii: "\"") where isQuoted:
                if try reader.peek() == byte { field.append(try reader.byte() ?? byte) } else { isQuoted = false }
            case UInt8(ascii: "\"") where field.isEmpty: isQuoted = true
            case UInt8(ascii: ",") where !isQuoted:
                fields.append(try Self.text(field, name))
                field = []
            case UInt8(ascii: "\n") where !isQuoted:
                if field.last == UInt8(ascii: "\r") { field.removeLast() }
                return fields + [try Self.text(field, name)]
            default: field.append(byte)
            }
        }
        guard !isQuoted else { throw CommandError(.usage, "\(name) ends inside a quoted field") }
        return fields + [try Self.text(field, name)]
    }

    private static func check(_ count: Int, _ name: String) throws {
        guard count <= maximumBytes else {
            throw CommandError(.usage, "\(name) has a line longer than \(maximumBytes) bytes: is it a file of row ids?")
        }
    }

    private static func text(_ bytes: [UInt8], _ name: String) throws -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw CommandError(.usage, "\(name) is not UTF-8 text")
        }
        return text
    }
}

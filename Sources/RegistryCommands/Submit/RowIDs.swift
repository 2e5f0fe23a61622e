import NIOCore

/// Row ids out of a text file with one a line, or out of the column `id` of a CSV file.
struct RowIDs {
    private var reader: ByteReader
    private let name: String
    private let column: Int?
    private var line = 0

    /// Longest line or field accepted.
    private static let maximumBytes = 64 << 10

    /// - Parameter isCSV: whether the first record names columns.
    init(_ source: any ChunkReader, name: String, isCSV: Bool) throws {
        reader = ByteReader(source)
        self.name = name
        if try reader.peek() == 0xEF { _ = try reader.bytes(3) }
        guard isCSV else {
            column = nil
            return
        }
        guard let header = try Self.record(&reader, name: name), let column = header.firstIndex(of: "id") else {
            throw CommandError(.usage, "\(name) has no column named id: its first line must name the columns")
        }
        self.column = column
        line = 1
    }

    /// The next id; nil at the end.
    mutating func next() throws -> String? {
        line += 1
        guard let column else {
            guard let id = try textLine() else { return nil }
            guard !id.isEmpty else {
                throw CommandError(.usage, "\(name) has an empty line \(line) where an id should be")
            }
            return id
        }
        guard let record = try Self.record(&reader, name: name) else { return nil }
        guard record.indices.contains(column), !record[column].isEmpty else {
            throw CommandError(.usage, "\(name) has no id in record \(line)")
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
    private static func record(_ reader: inout ByteReader, name: String) throws -> [String]? {
        guard try reader.peek() != nil else { return nil }
        var fields: [String] = []
        var field: [UInt8] = []
        var isQuoted = false
        var total = 0
        while let byte = try reader.byte() {
            total += 1
            try check(total, name)
            switch byte {
            case UInt8(ascii: "\"") where isQuoted:
                if try reader.peek() == byte { field.append(try reader.byte() ?? byte) } else { isQuoted = false }
            case UInt8(ascii: "\"") where field.isEmpty: isQuoted = true
            case UInt8(ascii: ",") where !isQuoted:
                fields.append(try text(field, name))
                field = []
            case UInt8(ascii: "\n") where !isQuoted:
                if field.last == UInt8(ascii: "\r") { field.removeLast() }
                return fields + [try text(field, name)]
            default: field.append(byte)
            }
        }
        guard !isQuoted else { throw CommandError(.usage, "\(name) ends inside a quoted field") }
        return fields + [try text(field, name)]
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

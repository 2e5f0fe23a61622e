#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Cuts one record into its fields, without allocating once warm.
struct CSVFields {
    private var ranges: [Range<Int>] = []
    /// The fields of a record with quotes, unquoted, one after the other.
    private var unquoted: [UInt8] = []

    /// The most fields that are told apart: a header of more columns is refused anyway.
    private static let maximumFields = 65_536

    /// Cuts a record and lends its fields.
    ///
    /// - Returns: nil where the quoting is wrong: an open quote, or text after a closing one.
    mutating func withFields<Result>(
        of record: CSVRecord, _ body: (Fields) throws(IngestStop) -> Result
    ) throws(IngestStop) -> Result? {
        ranges.removeAll(keepingCapacity: true)
        guard record.isQuoted else {
            splitPlain(record.bytes)
            return try body(Fields(bytes: record.bytes, ranges: ranges))
        }
        unquoted.removeAll(keepingCapacity: true)
        guard splitQuoted(record.bytes) else { return nil }
        return try unquoted.lend { (bytes) throws(IngestStop) in
            try body(Fields(bytes: bytes, ranges: ranges))
        }
    }

    /// The fields of one record, valid while they are lent.
    struct Fields {
        fileprivate let bytes: UnsafeRawBufferPointer
        fileprivate let ranges: [Range<Int>]

        var count: Int { ranges.count }

        subscript(index: Int) -> UnsafeRawBufferPointer {
            UnsafeRawBufferPointer(rebasing: bytes[ranges[index]])
        }
    }

    private mutating func splitPlain(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        var start = 0
        while ranges.count < Self.maximumFields,
            let comma = memchr(base + start, Int32(CSV.comma), bytes.count - start)
        {
            let end = UnsafeRawPointer(comma) - base
            ranges.append(start..<end)
            start = end + 1
        }
        ranges.append(start..<bytes.count)
    }

    private mutating func splitQuoted(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var position = 0
        while true {
            let start = unquoted.count
            if position < bytes.count, bytes[position] == CSV.quote {
                guard let end = unquote(bytes, from: position + 1) else { return false }
                position = end
                guard position == bytes.count || bytes[position] == CSV.comma else { return false }
            } else {
                let end = bytes[position...].firstIndex(of: CSV.comma) ?? bytes.count
                unquoted.append(contentsOf: bytes[position..<end])
                position = end
            }
            ranges.append(start..<unquoted.count)
            guard position < bytes.count else { return true }
            position += 1
        }
    }

    /// Copies a quoted field's text; returns the position after the closing quote, nil when there is none.
    private mutating func unquote(_ bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        var position = start
        while let end = bytes[position...].firstIndex(of: CSV.quote) {
            unquoted.append(contentsOf: bytes[position..<end])
            guard end + 1 < bytes.count, bytes[end + 1] == CSV.quote else { return end + 1 }
            unquoted.append(CSV.quote)
            position = end + 2
        }
        return nil
    }
}

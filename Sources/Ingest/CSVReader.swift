#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// One record of a CSV text, without its line end.
struct CSVRecord {
    let bytes: UnsafeRawBufferPointer
    /// Line it begins on, 1 = first.
    let line: Int
    /// Whether it holds a quotation mark.
    let isQuoted: Bool
    /// Whether it is longer than allowed; ``bytes`` is then its beginning.
    let isTooLong: Bool
}

/// Cuts a text that comes in pieces into the records of RFC 4180; holds at most one record.
///
/// Lines end with LF or CRLF; empty lines are passed over. A line break inside quotes belongs to the record.
struct CSVReader {
    private enum State {
        case fieldStart, unquoted, quoted, quoteInQuoted
    }

    private let maximumRecordBytes: Int
    /// The beginning of a record whose end has not come yet.
    private var carry: [UInt8] = []
    private var state = State.fieldStart
    private var isQuoted = false
    /// Whether the record became too long and its rest is passed over.
    private var isSkipping = false
    private var line = 1
    private var recordLine = 1

    init(maximumRecordBytes: Int) {
        self.maximumRecordBytes = maximumRecordBytes
    }

    /// Passes on every record that ends in these bytes.
    mutating func read(
        _ bytes: UnsafeRawBufferPointer, to body: (CSVRecord) throws(IngestStop) -> Void
    ) throws(IngestStop) {
        var start = 0
        while start < bytes.count {
            // One byte more than a record may have tells that it is too long, wherever the pieces are cut.
            let room = isSkipping ? bytes.count : maximumRecordBytes - carry.count + 1
            let window = UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + room, bytes.count)])
            if let end = recordEnd(in: window) {
                start += end + 1
                try endRecord(UnsafeRawBufferPointer(rebasing: window[..<end]), body)
            } else {
                start += window.count
                guard !isSkipping else { continue }
                carry.append(contentsOf: window)
                if carry.count > maximumRecordBytes {
                    isSkipping = true
                    try emitCarry(body)
                }
            }
        }
    }

    /// Passes on the last record, if no line end followed it.
    mutating func finish(_ body: (CSVRecord) throws(IngestStop) -> Void) throws(IngestStop) {
        try endRecord(UnsafeRawBufferPointer(start: nil, count: 0), body)
    }

    /// Where the record ends: the offset of its LF, or nil when that is not among these bytes.
    private mutating func recordEnd(in bytes: UnsafeRawBufferPointer) -> Int? {
        guard let base = bytes.baseAddress else { return nil }
        var start = 0
        while start < bytes.count {
            let found = memchr(base + start, 0x0A, bytes.count - start).map { UnsafeRawPointer($0) - base }
            let end = found ?? bytes.count
            // A line that is passed over ends at its LF: an open quote must not swallow the rest of the file.
            if !isSkipping { follow(UnsafeRawBufferPointer(rebasing: bytes[start..<end])) }
            guard found != nil else { return nil }
            line += 1
            if isSkipping || state != .quoted { return end }
            start = end + 1
        }
        return nil
    }

    /// Follows the quotes of a part of a record that holds no LF outside of them.
    private mutating func follow(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress, let last = bytes.last else { return }
        guard state == .quoted || memchr(base, Int32(CSV.quote), bytes.count) != nil else {
            state = last == CSV.comma ? .fieldStart : .unquoted
            return
        }
        isQuoted = true
        for byte in bytes {
            switch (state, byte) {
            case (.fieldStart, CSV.quote), (.quoteInQuoted, CSV.quote): state = .quoted
            case (.quoted, CSV.quote): state = .quoteInQuoted
            case (.quoted, _): break
            case (_, CSV.comma): state = .fieldStart
            default: state = .unquoted
            }
        }
    }

    private mutating func endRecord(
        _ piece: UnsafeRawBufferPointer, _ body: (CSVRecord) throws(IngestStop) -> Void
    ) throws(IngestStop) {
        if !isSkipping {
            if carry.isEmpty {
                try emit(piece, body)
            } else {
                carry.append(contentsOf: piece)
                try emitCarry(body)
            }
        }
        isSkipping = false
        isQuoted = false
        state = .fieldStart
        recordLine = line
    }

    private mutating func emitCarry(_ body: (CSVRecord) throws(IngestStop) -> Void) throws(IngestStop) {
        try carry.lend { (bytes) throws(IngestStop) in try emit(bytes, body) }
        carry.removeAll(keepingCapacity: true)
    }

    private func emit(
        _ bytes: UnsafeRawBufferPointer, _ body: (CSVRecord) throws(IngestStop) -> Void
    ) throws(IngestStop) {
        let content = bytes.last == CSV.carriageReturn ? UnsafeRawBufferPointer(rebasing: bytes.dropLast()) : bytes
        guard !content.isEmpty else { return }
        try body(CSVRecord(bytes: content, line: recordLine, isQuoted: isQuoted, isTooLong: isSkipping))
    }
}

/// The bytes with a meaning in CSV.
enum CSV {
    static let quote = UInt8(ascii: "\"")
    static let comma = UInt8(ascii: ",")
    static let carriageReturn = UInt8(ascii: "\r")

    static let quotingMessage = "a quoted field must end with its closing quote; double the quotes inside it"

    static func tooLongMessage(_ limits: IngestLimits) -> String {
        "a line is longer than \(limits.maximumLineBytes) bytes; look for a quote that is not closed"
    }
}

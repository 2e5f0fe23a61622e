import CLibpq

/// Owns one message of a binary COPY OUT: libpq's memory, and where the fields of the rows in it are.
// Unchecked: nothing changes after `init`.
final class CopyMessage: @unchecked Sendable {
    let bytes: UnsafeRawBufferPointer

    init(_ pointer: UnsafeMutablePointer<CChar>, count: Int) {
        bytes = UnsafeRawBufferPointer(start: pointer, count: count)
    }

    deinit {
        PQfreemem(UnsafeMutableRawPointer(mutating: bytes.baseAddress))
    }
}

/// A row within a message of a binary COPY.
struct CopyTuple: Sendable {
    let message: CopyMessage
    /// Where in the message each field is; nil is NULL.
    let fields: [Range<Int>?]

    /// Calls `body` with a field, whose bytes are valid until it returns.
    func withField<Result>(_ index: Int, _ body: (PostgresField) throws -> Result) rethrows -> Result {
        try withExtendedLifetime(message) {
            let bytes = fields[index].map { UnsafeRawBufferPointer(rebasing: message.bytes[$0]) }
            return try body(PostgresField(type: .unknown, bytes: bytes))
        }
    }
}

/// Reads the messages of a binary COPY in order. The form is that of PostgreSQL's documentation of COPY: a signature,
/// flags and an extension; then for each row the number of fields, and for each field its length and bytes; then -1.
struct CopyDecoder {
    static let signature = Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0x00]

    private var hasHeader = false

    /// The rows of a message; the server never splits one. Nil when the message is not of the form.
    mutating func rows(of message: CopyMessage) -> [CopyTuple]? {
        let bytes = message.bytes
        var offset = 0
        func integer<Value: FixedWidthInteger>(_: Value.Type) -> Value? {
            let size = MemoryLayout<Value>.size
            guard offset + size <= bytes.count else { return nil }
            defer { offset += size }
            return Value(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Value.self))
        }
        if !hasHeader {
            guard bytes.starts(with: Self.signature) else { return nil }
            offset = Self.signature.count
            guard integer(UInt32.self) != nil, let length = integer(Int32.self), length >= 0 else { return nil }
            offset += Int(length)
            hasHeader = true
        }
        var rows: [CopyTuple] = []
        while offset < bytes.count {
            guard let count = integer(Int16.self) else { return nil }
            if count < 0 { break }
            var fields: [Range<Int>?] = []
            fields.reserveCapacity(Int(count))
            for _ in 0..<count {
                guard let length = integer(Int32.self) else { return nil }
                if length < 0 {
                    fields.append(nil)
                } else {
                    guard offset + Int(length) <= bytes.count else { return nil }
                    fields.append(offset..<offset + Int(length))
                    offset += Int(length)
                }
            }
            rows.append(CopyTuple(message: message, fields: fields))
        }
        return rows
    }
}

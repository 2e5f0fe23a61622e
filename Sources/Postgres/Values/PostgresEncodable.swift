public import Foundation

/// A value that can be a statement's parameter or a column of a binary COPY.
public protocol PostgresEncodable: Sendable {
    /// The type it is sent as.
    static var postgresType: PostgresType { get }
    /// True for NULL; then `encodePostgres` is not called.
    var isPostgresNull: Bool { get }
    /// Appends the server's binary form.
    func encodePostgres(into bytes: inout [UInt8])
}

extension PostgresEncodable {
    /// A value is not NULL unless its type says otherwise.
    public var isPostgresNull: Bool { false }
}

extension [UInt8] {
    /// Appends the bytes of an integer, the highest first.
    mutating func append<Value: FixedWidthInteger>(bigEndian value: Value) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }

    /// Appends a field of a COPY row or an array: its length in four bytes (-1 is NULL), then its bytes.
    mutating func append(field value: some PostgresEncodable) {
        let start = count
        append(bigEndian: Int32(-1))
        guard !value.isPostgresNull else { return }
        value.encodePostgres(into: &self)
        let length = UInt32(truncatingIfNeeded: count - start - 4)
        for byte in 0..<4 { self[start + byte] = UInt8(truncatingIfNeeded: length >> UInt32(24 - 8 * byte)) }
    }
}

extension Optional: PostgresEncodable where Wrapped: PostgresEncodable {
    /// The wrapped value's type.
    public static var postgresType: PostgresType { Wrapped.postgresType }
    /// True for nil.
    public var isPostgresNull: Bool { map(\.isPostgresNull) ?? true }
    /// Appends the wrapped value.
    public func encodePostgres(into bytes: inout [UInt8]) { self?.encodePostgres(into: &bytes) }
}

extension String: PostgresEncodable {
    /// `text`
    public static var postgresType: PostgresType { .text }
    /// Appends UTF-8.
    public func encodePostgres(into bytes: inout [UInt8]) { bytes.append(contentsOf: utf8) }
}

extension Bool: PostgresEncodable {
    /// `boolean`
    public static var postgresType: PostgresType { .bool }
    /// Appends 0 or 1.
    public func encodePostgres(into bytes: inout [UInt8]) { bytes.append(self ? 1 : 0) }
}

extension Int: PostgresEncodable {
    /// `bigint`
    public static var postgresType: PostgresType { .int8 }
    /// Appends eight bytes.
    public func encodePostgres(into bytes: inout [UInt8]) { bytes.append(bigEndian: Int64(self)) }
}

extension Int64: PostgresEncodable {
    /// `bigint`
    public static var postgresType: PostgresType { .int8 }
    /// Appends eight bytes.
    public func encodePostgres(into bytes: inout [UInt8]) { bytes.append(bigEndian: self) }
}

extension Int32: PostgresEncodable {
    /// `integer`
    public static var postgresType: PostgresType { .int4 }
    /// Appends four bytes.
    public func encodePostgres(into bytes: inout [UInt8]) { bytes.append(bigEndian: self) }
}

extension Int16: PostgresEncodable {
    /// `smallint`
    public static var postgresType: PostgresType { .int2 }
    /// Appends two bytes.
    public func encodePostgres(into bytes: inout [UInt8]) { bytes.append(bigEndian: self) }
}

extension Double: PostgresEncodable {
    /// `double precision`
    public static var postgresType: PostgresType { .float8 }
    /// Appends eight bytes.
    public func encodePostgres(into bytes: inout [UInt8]) { bytes.append(bigEndian: bitPattern) }
}

extension Float: PostgresEncodable {
    /// `real`
    public static var postgresType: PostgresType { .float4 }
    /// Appends four bytes.
    public func encodePostgres(into bytes: inout [UInt8]) { bytes.append(bigEndian: bitPattern) }
}

extension UUID: PostgresEncodable {
    /// `uuid`
    public static var postgresType: PostgresType { .uuid }
    /// Appends sixteen bytes.
    public func encodePostgres(into bytes: inout [UInt8]) {
        withUnsafeBytes(of: uuid) { bytes.append(contentsOf: $0) }
    }
}

extension Data: PostgresEncodable {
    /// `bytea`
    public static var postgresType: PostgresType { .bytea }
    /// Appends the bytes.
    public func encodePostgres(into bytes: inout [UInt8]) { bytes.append(contentsOf: self) }
}

extension Date: PostgresEncodable {
    /// `timestamp with time zone`
    public static var postgresType: PostgresType { .timestamptz }
    /// Appends microseconds since 2000-01-01 00:00 UTC, rounded; what the server cannot hold becomes its infinity.
    public func encodePostgres(into bytes: inout [UInt8]) {
        let microseconds = (timeIntervalSinceReferenceDate + Self.secondsFrom2000To2001) * 1_000_000
        let limit = 9.0e18
        let value: Int64 = microseconds >= limit ? .max : microseconds > -limit ? Int64(microseconds.rounded()) : .min
        bytes.append(bigEndian: value)
    }

    /// From PostgreSQL's epoch, 2000-01-01, to Foundation's, 2001-01-01: a leap year.
    static let secondsFrom2000To2001 = 366.0 * 86_400
}

/// A JSON document, sent as `jsonb`. The bytes are not looked at.
public struct JSON: Hashable, Sendable {
    /// The document in UTF-8.
    public var bytes: [UInt8]

    /// Takes a document in UTF-8.
    public init(bytes: [UInt8]) {
        self.bytes = bytes
    }
}

extension JSON: PostgresEncodable {
    /// `jsonb`
    public static var postgresType: PostgresType { .jsonb }
    /// Appends the version of the binary form, 1, and the text.
    public func encodePostgres(into bytes: inout [UInt8]) {
        bytes.append(1)
        bytes.append(contentsOf: self.bytes)
    }
}

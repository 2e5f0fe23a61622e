public import Foundation

/// A field of a row, as the server sent it. Valid only during the call that it is passed to.
public struct PostgresField {
    /// The column's type; `.unknown` in a COPY.
    public let type: PostgresType
    /// The server's binary form; nil is NULL.
    public let bytes: UnsafeRawBufferPointer?

    /// The field's integer, if its length fits.
    func integer<Value: FixedWidthInteger>(_: Value.Type) -> Value? {
        guard let bytes, bytes.count == MemoryLayout<Value>.size else { return nil }
        return Value(bigEndian: bytes.loadUnaligned(as: Value.self))
    }
}

/// A value that a column can be read as.
public protocol PostgresDecodable: Sendable {
    /// Returns nil when the field is NULL or of another type or form; the caller makes the error and names the column.
    init?(postgres field: PostgresField)
}

extension Optional: PostgresDecodable where Wrapped: PostgresDecodable {
    /// nil for NULL.
    public init?(postgres field: PostgresField) {
        if field.bytes == nil {
            self = .none
        } else {
            guard let value = Wrapped(postgres: field) else { return nil }
            self = .some(value)
        }
    }
}

extension FixedWidthInteger where Self: PostgresDecodable {
    /// Reads `smallint`, `integer`, `bigint` and `oid`, if the value fits.
    init?(postgresInteger field: PostgresField) {
        let value: Int64? =
            switch (field.type, field.bytes?.count) {
            case (.int2, 2), (.unknown, 2): field.integer(Int16.self).map(Int64.init)
            case (.int4, 4), (.unknown, 4): field.integer(Int32.self).map(Int64.init)
            case (.oid, 4): field.integer(UInt32.self).map(Int64.init)
            case (.int8, 8), (.unknown, 8): field.integer(Int64.self)
            default: nil
            }
        guard let value, let exact = Self(exactly: value) else { return nil }
        self = exact
    }
}

extension Int: PostgresDecodable {
    /// Reads any integer type.
    public init?(postgres field: PostgresField) { self.init(postgresInteger: field) }
}

extension Int64: PostgresDecodable {
    /// Reads any integer type.
    public init?(postgres field: PostgresField) { self.init(postgresInteger: field) }
}

extension Int32: PostgresDecodable {
    /// Reads any integer type, if the value fits.
    public init?(postgres field: PostgresField) { self.init(postgresInteger: field) }
}

extension Int16: PostgresDecodable {
    /// Reads any integer type, if the value fits.
    public init?(postgres field: PostgresField) { self.init(postgresInteger: field) }
}

extension Bool: PostgresDecodable {
    /// Reads `boolean`.
    public init?(postgres field: PostgresField) {
        guard [.bool, .unknown].contains(field.type), let byte = field.integer(UInt8.self) else { return nil }
        self = byte != 0
    }
}

extension Double: PostgresDecodable {
    /// Reads `double precision` and `real`.
    public init?(postgres field: PostgresField) {
        switch (field.type, field.bytes?.count) {
        case (.float8, 8), (.unknown, 8):
            guard let bits = field.integer(UInt64.self) else { return nil }
            self.init(bitPattern: bits)
        case (.float4, 4), (.unknown, 4):
            guard let bits = field.integer(UInt32.self) else { return nil }
            self.init(Float(bitPattern: bits))
        default: return nil
        }
    }
}

extension Float: PostgresDecodable {
    /// Reads `real`.
    public init?(postgres field: PostgresField) {
        guard [.float4, .unknown].contains(field.type), let bits = field.integer(UInt32.self) else { return nil }
        self.init(bitPattern: bits)
    }
}

extension String: PostgresDecodable {
    /// Reads the text types, `json`, and enumerations.
    public init?(postgres field: PostgresField) {
        guard let bytes = field.bytes else { return nil }
        switch field.type {
        case .text, .varchar, .bpchar, .name, .json, .literal, .unknown: break
        case let type where type.rawValue >= PostgresType.firstUserDefined: break
        default: return nil
        }
        guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
        self = text
    }
}

extension UUID: PostgresDecodable {
    /// Reads `uuid`.
    public init?(postgres field: PostgresField) {
        guard [.uuid, .unknown].contains(field.type), let bytes = field.bytes, bytes.count == 16 else { return nil }
        self.init(uuid: bytes.loadUnaligned(as: uuid_t.self))
    }
}

extension Data: PostgresDecodable {
    /// Reads `bytea`.
    public init?(postgres field: PostgresField) {
        guard [.bytea, .unknown].contains(field.type), let bytes = field.bytes else { return nil }
        self.init(bytes)
    }
}

extension Date: PostgresDecodable {
    /// Reads `timestamp with time zone`; the server's infinities become `distantPast` and `distantFuture`.
    public init?(postgres field: PostgresField) {
        guard [.timestamptz, .unknown].contains(field.type), let microseconds = field.integer(Int64.self) else {
            return nil
        }
        switch microseconds {
        case .max: self = .distantFuture
        case .min: self = .distantPast
        default:
            self.init(timeIntervalSinceReferenceDate: Double(microseconds) / 1_000_000 - Self.secondsFrom2000To2001)
        }
    }
}

extension JSON: PostgresDecodable {
    /// Reads `jsonb` and `json`; in a COPY, where the type is unknown, `jsonb`.
    public init?(postgres field: PostgresField) {
        guard let bytes = field.bytes else { return nil }
        switch field.type {
        case .json: self.init(bytes: Array(bytes))
        case .jsonb, .unknown:
            guard bytes.first == 1 else { return nil }
            self.init(bytes: Array(bytes.dropFirst()))
        default: return nil
        }
    }
}

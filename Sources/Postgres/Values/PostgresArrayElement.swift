public import Foundation

/// A type whose arrays are columns: `text[]`, `bigint[]` and so on, of one dimension and without NULLs. `UInt8` is one
/// too, and its array is a `bytea`.
public protocol PostgresArrayElement: Sendable {
    /// The type of the array.
    static var postgresArrayType: PostgresType { get }
    /// Appends the server's binary form of the array.
    static func encodePostgres(array: [Self], into bytes: inout [UInt8])
    /// Reads an array; nil when the field is something else.
    static func decodePostgres(array field: PostgresField) -> [Self]?
}

extension Array: PostgresEncodable where Element: PostgresArrayElement {
    /// The array's type.
    public static var postgresType: PostgresType { Element.postgresArrayType }
    /// Appends the array.
    public func encodePostgres(into bytes: inout [UInt8]) { Element.encodePostgres(array: self, into: &bytes) }
}

extension Array: PostgresDecodable where Element: PostgresArrayElement {
    /// Reads an array of one dimension without NULLs.
    public init?(postgres field: PostgresField) {
        guard let array = Element.decodePostgres(array: field) else { return nil }
        self = array
    }
}

// The form, from the server's `array_send`: dimensions, whether there are NULLs, the elements' type; for each dimension
// its length and first index; then the elements, each with its length.
extension PostgresArrayElement where Self: PostgresEncodable & PostgresDecodable {
    /// Appends one dimension, counted from 1.
    public static func encodePostgres(array: [Self], into bytes: inout [UInt8]) {
        bytes.append(bigEndian: Int32(array.isEmpty ? 0 : 1))
        bytes.append(bigEndian: Int32(0))
        bytes.append(bigEndian: postgresType.rawValue)
        guard !array.isEmpty else { return }
        bytes.append(bigEndian: Int32(array.count))
        bytes.append(bigEndian: Int32(1))
        for element in array { bytes.append(field: element) }
    }

    /// Reads none or one dimension; nil if it holds a NULL.
    public static func decodePostgres(array field: PostgresField) -> [Self]? {
        let isArray =
            [postgresArrayType, .unknown, .varcharArray].contains(field.type)
            || field.type.rawValue >= PostgresType.firstUserDefined
        guard isArray, let bytes = field.bytes else { return nil }
        var offset = 0
        func next() -> Int32? {
            guard offset + 4 <= bytes.count else { return nil }
            defer { offset += 4 }
            return Int32(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Int32.self))
        }
        guard let dimensions = next(), next() != nil, let type = next().map(UInt32.init(bitPattern:)) else {
            return nil
        }
        if dimensions == 0 { return [] }
        guard dimensions == 1, let count = next(), next() != nil, count >= 0, Int(count) <= bytes.count / 4 else {
            return nil
        }
        var array: [Self] = []
        array.reserveCapacity(Int(count))
        for _ in 0..<count {
            guard let length = next(), length >= 0, offset + Int(length) <= bytes.count else { return nil }
            let element = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + Int(length)])
            guard let value = Self(postgres: PostgresField(type: PostgresType(rawValue: type), bytes: element)) else {
                return nil
            }
            array.append(value)
            offset += Int(length)
        }
        return array
    }
}

extension UInt8: PostgresArrayElement {
    /// `bytea`
    public static var postgresArrayType: PostgresType { .bytea }
    /// Appends the bytes.
    public static func encodePostgres(array: [UInt8], into bytes: inout [UInt8]) { bytes.append(contentsOf: array) }
    /// Reads `bytea`.
    public static func decodePostgres(array field: PostgresField) -> [UInt8]? {
        guard [.bytea, .unknown].contains(field.type), let bytes = field.bytes else { return nil }
        return Array(bytes)
    }
}

extension String: PostgresArrayElement {
    /// `text[]`
    public static var postgresArrayType: PostgresType { .textArray }
}

extension Int: PostgresArrayElement {
    /// `bigint[]`
    public static var postgresArrayType: PostgresType { .int8Array }
}

extension Int64: PostgresArrayElement {
    /// `bigint[]`
    public static var postgresArrayType: PostgresType { .int8Array }
}

extension Int32: PostgresArrayElement {
    /// `integer[]`
    public static var postgresArrayType: PostgresType { .int4Array }
}

extension Int16: PostgresArrayElement {
    /// `smallint[]`
    public static var postgresArrayType: PostgresType { .int2Array }
}

extension Bool: PostgresArrayElement {
    /// `boolean[]`
    public static var postgresArrayType: PostgresType { .boolArray }
}

extension Double: PostgresArrayElement {
    /// `double precision[]`
    public static var postgresArrayType: PostgresType { .float8Array }
}

extension Float: PostgresArrayElement {
    /// `real[]`
    public static var postgresArrayType: PostgresType { .float4Array }
}

extension UUID: PostgresArrayElement {
    /// `uuid[]`
    public static var postgresArrayType: PostgresType { .uuidArray }
}

extension Date: PostgresArrayElement {
    /// `timestamp with time zone[]`
    public static var postgresArrayType: PostgresType { .timestamptzArray }
}

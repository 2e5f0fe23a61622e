public import Foundation

/// A JSON value of a golden file, read by path: `golden["oof"]["log_loss"].double`.
///
/// What is missing or of another kind reads as null, zero or empty (doubles as NaN), which no comparison in a test
/// survives.
public enum GoldenValue: Sendable, Decodable {
    case null
    case bool(Bool)
    case number(Double)
    case text(String)
    case list([GoldenValue])
    case record([String: GoldenValue])

    /// Reads a JSON file.
    public init(contentsOf file: URL) throws {
        self = try JSONDecoder().decode(GoldenValue.self, from: Data(contentsOf: file))
    }

    public init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if value.decodeNil() {
            self = .null
        } else if let record = try? value.decode([String: GoldenValue].self) {
            self = .record(record)
        } else if let list = try? value.decode([GoldenValue].self) {
            self = .list(list)
        } else if let text = try? value.decode(String.self) {
            self = .text(text)
        } else if let bool = try? value.decode(Bool.self) {
            self = .bool(bool)
        } else {
            self = .number(try value.decode(Double.self))
        }
    }

    /// The member of a record.
    public subscript(key: String) -> GoldenValue { record[key] ?? .null }

    /// The element of a list.
    public subscript(index: Int) -> GoldenValue { array.indices.contains(index) ? array[index] : .null }

    /// The members of a record.
    public var record: [String: GoldenValue] { if case .record(let value) = self { value } else { [:] } }
    /// The elements of a list.
    public var array: [GoldenValue] { if case .list(let value) = self { value } else { [] } }
    /// The number.
    public var double: Double { if case .number(let value) = self { value } else { .nan } }
    /// The number as an integer.
    public var int: Int { if case .number(let value) = self { Int(exactly: value) ?? .min } else { .min } }
    /// The text.
    public var string: String { if case .text(let value) = self { value } else { "" } }
    /// The truth value.
    public var bool: Bool { if case .bool(let value) = self { value } else { false } }
    /// Whether nothing is there.
    public var isNull: Bool { if case .null = self { true } else { false } }
    /// The elements of a list of numbers.
    public var doubles: [Double] { array.map(\.double) }
    /// The elements of a list of texts.
    public var strings: [String] { array.map(\.string) }
}

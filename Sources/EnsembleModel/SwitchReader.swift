/// Reads the switches of a policy: those left out take their defaults, and what is unknown or does not fit is refused
/// by its name, with the values it may have. A misspelt switch must not be silently ignored.
struct SwitchReader<Key: CodingKey & CaseIterable> {
    private let container: KeyedDecodingContainer<Key>
    private let prefix: String

    init(_ decoder: any Decoder, _ type: Key.Type, of what: String) throws {
        container = try decoder.container(keyedBy: type)
        prefix = decoder.codingPath.map { $0.stringValue + "." }.joined()
        let known = Key.allCases.map(\.stringValue)
        for key in try decoder.container(keyedBy: AnyKey.self).allKeys where !known.contains(key.stringValue) {
            throw EnsembleModelError(
                .invalidPolicy,
                "unknown \(what) switch '\(key.stringValue.prefix(40))'; known are: \(known.joined(separator: ", "))")
        }
    }

    func read<Value: Decodable>(_ key: Key, _ fallback: Value) throws -> Value { try readOptional(key) ?? fallback }

    func readOptional<Value: Decodable>(_ key: Key) throws -> Value? {
        do {
            return try container.decodeIfPresent(Value.self, forKey: key)
        } catch let error as DecodingError {
            guard case .typeMismatch = error else { throw error }
            let kind =
                switch Value.self {
                case is Int.Type: "a whole number"
                case is Double.Type: "a number"
                case is String.Type: "a text"
                default: "a group of switches"
                }
            throw EnsembleModelError(.invalidPolicy, "\(prefix)\(key.stringValue) must be \(kind)")
        }
    }

    func choice<Value: RawRepresentable<String> & CaseIterable>(_ key: Key, _ fallback: Value) throws -> Value {
        guard let text: String = try readOptional(key) else { return fallback }
        guard let value = Value(rawValue: text) else {
            let known = Value.allCases.map(\.rawValue).joined(separator: ", ")
            throw EnsembleModelError(
                .invalidPolicy, "\(prefix)\(key.stringValue) is '\(text.prefix(40))'; it must be one of: \(known)")
        }
        return value
    }
}

private struct AnyKey: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}

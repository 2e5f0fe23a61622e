extension CanonicalValue {
    /// The largest magnitude of an integer in canonical form: every JSON reader keeps integers up to it exactly.
    static let maximumInteger: Int64 = 1 << 53

    /// The canonical form of an encodable value, by its own keys.
    ///
    /// Doubles and floats become the 16 hexadecimal digits of their 64-bit form, optional members without a value are
    /// left out.
    ///
    /// - Throws: ``EnsembleModelError`` with code `invalidCanonicalForm` for an integer of magnitude 2^53 or more, or a
    ///   value that encodes nothing; whatever the value's own `encode(to:)` throws.
    public init(encoding value: some Encodable) throws {
        let node = CanonicalNode()
        try node.encode(value, at: [])
        self = node.value
    }
}

extension Evidence {
    /// SHA-256 of the canonical form: equal digests mean that every number in it is equal bit for bit.
    ///
    /// - Throws: ``EnsembleModelError`` with code `invalidCanonicalForm` when a count is beyond 2^53.
    public var digest: ContentDigest {
        get throws { try CanonicalValue(encoding: self).digest }
    }
}

/// One place of the value being built; containers are references because `Encoder` hands them out before they are
/// filled.
private final class CanonicalNode {
    private enum Content {
        case empty
        case leaf(CanonicalValue)
        case array([CanonicalNode])
        case object([String: CanonicalNode])
    }

    private var content = Content.empty

    var value: CanonicalValue {
        switch content {
        case .empty: .null
        case .leaf(let value): value
        case .array(let nodes): .array(nodes.map(\.value))
        case .object(let members): .object(members.mapValues(\.value))
        }
    }

    var count: Int {
        if case .array(let nodes) = content { nodes.count } else { 0 }
    }

    func becomeObject() {
        if case .empty = content { content = .object([:]) }
    }

    func becomeArray() {
        if case .empty = content { content = .array([]) }
    }

    func member(_ key: String) -> CanonicalNode {
        let node = CanonicalNode()
        guard case .object(var members) = content else { return node }
        content = .empty
        members[key] = node
        content = .object(members)
        return node
    }

    func element() -> CanonicalNode {
        let node = CanonicalNode()
        guard case .array(var nodes) = content else { return node }
        content = .empty
        nodes.append(node)
        content = .array(nodes)
        return node
    }

    func set(_ value: CanonicalValue) { content = .leaf(value) }

    func set(_ value: some BinaryInteger, at path: [any CodingKey]) throws {
        guard value.magnitude < CanonicalValue.maximumInteger.magnitude else {
            throw EnsembleModelError(
                .invalidCanonicalForm, "\(value)\(path.place) is not below 2^53 in magnitude: give it as text")
        }
        content = .leaf(.integer(Int64(value)))
    }

    func encode(_ value: some Encodable, at path: [any CodingKey]) throws {
        switch value {
        case let value as CanonicalValue: set(value)
        case let value as Double: set(.double(value))
        case let value as Float: set(.double(Double(value)))
        case let value as String: set(.string(value))
        case let value as Bool: set(.bool(value))
        case let value as any BinaryInteger: try set(value, at: path)
        default:
            try value.encode(to: CanonicalEncoder(node: self, codingPath: path))
            if case .empty = content {
                throw EnsembleModelError(.invalidCanonicalForm, "a \(type(of: value))\(path.place) encodes nothing")
            }
        }
    }
}

private struct CanonicalEncoder: Encoder {
    let node: CanonicalNode
    let codingPath: [any CodingKey]
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        node.becomeObject()
        return KeyedEncodingContainer(Members(node: node, codingPath: codingPath))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        node.becomeArray()
        return Elements(node: node, codingPath: codingPath)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer {
        Single(node: node, codingPath: codingPath)
    }
}

private struct Members<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let node: CanonicalNode
    let codingPath: [any CodingKey]

    func encodeNil(forKey key: Key) {}

    func encode(_ value: some Encodable, forKey key: Key) throws {
        try node.member(key.stringValue).encode(value, at: codingPath + [key])
    }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) -> KeyedEncodingContainer<Nested> {
        encoder(key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer { encoder(key).unkeyedContainer() }

    func superEncoder() -> any Encoder {
        CanonicalEncoder(node: node.member("super"), codingPath: codingPath)
    }

    func superEncoder(forKey key: Key) -> any Encoder { encoder(key) }

    private func encoder(_ key: Key) -> CanonicalEncoder {
        CanonicalEncoder(node: node.member(key.stringValue), codingPath: codingPath + [key])
    }
}

private struct Elements: UnkeyedEncodingContainer {
    let node: CanonicalNode
    let codingPath: [any CodingKey]
    var count: Int { node.count }

    func encodeNil() { node.element().set(.null) }

    func encode(_ value: some Encodable) throws { try node.element().encode(value, at: codingPath) }

    func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) -> KeyedEncodingContainer<Nested> {
        encoder().container(keyedBy: type)
    }

    func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer { encoder().unkeyedContainer() }

    func superEncoder() -> any Encoder { encoder() }

    private func encoder() -> CanonicalEncoder { CanonicalEncoder(node: node.element(), codingPath: codingPath) }
}

private struct Single: SingleValueEncodingContainer {
    let node: CanonicalNode
    let codingPath: [any CodingKey]

    func encodeNil() { node.set(.null) }

    func encode(_ value: some Encodable) throws { try node.encode(value, at: codingPath) }
}

extension [any CodingKey] {
    fileprivate var place: String {
        isEmpty ? "" : " at " + map(\.stringValue).joined(separator: ".")
    }
}

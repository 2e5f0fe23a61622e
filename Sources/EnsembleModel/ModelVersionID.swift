/// The identity of a model version, written `name@version`.
///
/// Ordered by the UTF-8 bytes of `name@version`: the order in which an evaluation lays out the combiner's columns.
public struct ModelVersionID: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The model's name, e.g. `minilm`.
    public let name: String
    /// The version, e.g. `3`.
    public let version: String

    /// Creates an identity from checked parts.
    ///
    /// - Throws: ``EnsembleModelError`` when a part is not a ``Name``.
    public init(name: String, version: String) throws(EnsembleModelError) {
        try Name.check(name, as: "model")
        try Name.check(version, as: "version")
        self.name = name
        self.version = version
    }

    /// Parses `name@version`.
    ///
    /// - Throws: ``EnsembleModelError`` when the text is not of that form.
    public init(_ text: some StringProtocol) throws(EnsembleModelError) {
        let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else {
            throw EnsembleModelError(
                .invalidName, "'\(text.prefix(80))' is not a model version: write it as name@version, such as minilm@3")
        }
        try self.init(name: String(parts[0]), version: String(parts[1]))
    }

    public var description: String { "\(name)@\(version)" }

    public static func < (left: Self, right: Self) -> Bool {
        left.description.precedes(right.description)
    }
}

extension ModelVersionID: Codable {
    public init(from decoder: any Decoder) throws {
        try self.init(decoder.singleValueContainer().decode(String.self))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

extension String {
    /// Whether this text comes before another by UTF-8 bytes: the one order used for row ids, groups and models.
    ///
    /// `String`'s own `<` compares canonical equivalents, which depends on Unicode tables and is slower.
    public func precedes(_ other: String) -> Bool {
        utf8.lexicographicallyPrecedes(other.utf8)
    }
}

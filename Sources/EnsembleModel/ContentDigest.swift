import Crypto

/// A SHA-256 digest, the address of content: 64 lowercase hexadecimal digits.
public struct ContentDigest: Hashable, Sendable, CustomStringConvertible {
    /// 64 lowercase hexadecimal digits.
    public let hex: String

    /// Parses 64 hexadecimal digits.
    ///
    /// - Throws: ``EnsembleModelError`` with code `invalidDigest`.
    public init(hex: some StringProtocol) throws(EnsembleModelError) {
        guard hex.utf8.count == 64, hex.allSatisfy({ $0.isASCII && $0.isHexDigit }) else {
            throw EnsembleModelError(.invalidDigest, "a sha256 digest is 64 hexadecimal digits")
        }
        self.hex = hex.lowercased()
    }

    private init(_ digest: SHA256.Digest) {
        hex = digest.hexadecimal
    }

    /// The digest of some bytes.
    public static func of(_ bytes: some Sequence<UInt8>) -> ContentDigest {
        var hasher = ContentHasher()
        hasher.update(bytes)
        return hasher.finish()
    }

    /// The digest of a text's UTF-8 bytes.
    public static func of(_ text: String) -> ContentDigest { of(text.utf8) }

    public var description: String { hex }

    fileprivate static func make(_ digest: SHA256.Digest) -> ContentDigest { ContentDigest(digest) }
}

/// Computes a ``ContentDigest`` piece by piece, for content that is not held in memory.
public struct ContentHasher: Sendable {
    private var hasher = SHA256()

    /// Creates a hasher that has seen nothing.
    public init() {}

    /// Adds bytes.
    public mutating func update(_ bytes: some Sequence<UInt8>) {
        if bytes.withContiguousStorageIfAvailable({ hasher.update(bufferPointer: UnsafeRawBufferPointer($0)) }) == nil {
            Array(bytes).withUnsafeBytes { hasher.update(bufferPointer: $0) }
        }
    }

    /// Adds raw bytes.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        hasher.update(bufferPointer: bytes)
    }

    /// The digest of everything added so far.
    public func finish() -> ContentDigest { .make(hasher.finalize()) }

    /// The first eight bytes of the digest of everything added so far, big-endian: a uniform number that anybody can
    /// recompute.
    public func finishLeading64() -> UInt64 {
        hasher.finalize().prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
    }
}

extension Sequence<UInt8> {
    /// Two lowercase hexadecimal digits a byte.
    public var hexadecimal: String {
        let digits = Array("0123456789abcdef".utf8)
        return String(decoding: flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}

extension ContentDigest: Codable {
    public init(from decoder: any Decoder) throws {
        try self.init(hex: decoder.singleValueContainer().decode(String.self))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(hex)
    }
}

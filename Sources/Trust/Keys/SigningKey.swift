import Crypto

import struct Foundation.Data

/// An Ed25519 private key. It never shows itself: its text and its mirror hold the public key's id only.
public struct SigningKey: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    private let key: Curve25519.Signing.PrivateKey
    /// The public half.
    public let publicKey: PublicKey

    /// Makes a new random key.
    public init() { self.init(Curve25519.Signing.PrivateKey()) }

    /// The key of a 32-byte seed (RFC 8032).
    ///
    /// - Throws: ``TrustError`` with code `damaged_key_file` for another length.
    public init(seed: [UInt8]) throws(TrustError) {
        guard let key = try? Curve25519.Signing.PrivateKey(rawRepresentation: seed) else {
            throw TrustError(.damagedKeyFile, nil, "an Ed25519 seed is 32 bytes long")
        }
        self.init(key)
    }

    private init(_ key: Curve25519.Signing.PrivateKey) {
        self.key = key
        publicKey = PublicKey(ed25519: Array(key.publicKey.rawRepresentation))
    }

    /// The 32 bytes that ``init(seed:)`` takes.
    var seed: [UInt8] { Array(key.rawRepresentation) }

    func sign(_ bytes: [UInt8]) throws(TrustError) -> [UInt8] {
        do {
            return Array(try key.signature(for: bytes))
        } catch {
            throw TrustError(.missingKey, nil, "the key \(publicKey.keyID) cannot sign: \(error)")
        }
    }

    public var description: String { "private key of \(publicKey.keyID)" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: ["keyID": publicKey.keyID]) }
}

import Crypto
public import EnsembleModel

/// A TUF key object. Ed25519 keys verify; keys of other types are kept as they are and verify nothing.
public struct PublicKey: Hashable, Sendable {
    /// The whole key object, members that we do not know included.
    public let value: CanonicalValue
    /// The 32 bytes of an Ed25519 key; nil for a key of another type or scheme.
    public let ed25519: [UInt8]?

    /// Creates an Ed25519 key of its 32 bytes.
    init(ed25519 bytes: [UInt8]) {
        value = [
            "keytype": "ed25519", "keyval": ["public": .string(bytes.hexadecimal)], "scheme": "ed25519",
        ]
        ed25519 = bytes
    }

    init(_ value: CanonicalValue, place: String, role: MetadataRole? = nil) throws(TrustError) {
        var fields = try Fields(value, place: place, role: role)
        let (keytype, scheme) = (try fields.string("keytype"), try fields.string("scheme"))
        var keyval = try fields.fields("keyval")
        if keytype == "ed25519", scheme == "ed25519" {
            let bytes = try keyval.bytes("public")
            guard bytes.count == 32 else { throw fields.malformed("an Ed25519 key is not 32 bytes long") }
            ed25519 = bytes
        } else {
            ed25519 = nil
        }
        self.value = value
    }

    /// The id under which our metadata lists the key: SHA-256 of the OLPC canonical form of key type, scheme and key
    /// value, as securesystemslib computes it.
    public var keyID: String {
        guard case .object(let members) = value else { return "" }
        let identity = members.filter { ["keytype", "scheme", "keyval"].contains($0.key) }
        return ContentDigest.of(CanonicalValue.object(identity).olpcBytes).hex
    }

    /// Whether a signature of some bytes is this key's.
    func isValid(_ signature: [UInt8], of bytes: [UInt8]) -> Bool {
        guard let ed25519, let key = try? Curve25519.Signing.PublicKey(rawRepresentation: ed25519) else { return false }
        return key.isValidSignature(signature, for: bytes)
    }
}

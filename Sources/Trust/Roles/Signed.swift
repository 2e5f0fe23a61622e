import EnsembleModel

/// One signature of a `signed` object.
public struct MetadataSignature: Hashable, Sendable {
    /// The id of the key that made it.
    public let keyID: String
    /// The signature's bytes; empty where its holder has yet to sign.
    public let bytes: [UInt8]
}

/// A metadata file: a role's content and its signatures, verified or not.
public struct Signed<Content: SignedContent>: Sendable {
    /// What is signed.
    public let content: Content
    /// The signatures, one a key id.
    public private(set) var signatures: [MetadataSignature]
    /// The `signed` object exactly as it was read.
    let value: CanonicalValue
    /// The bytes that signatures are over: OLPC canonical JSON.
    let signedBytes: [UInt8]

    /// Content that nobody has signed yet.
    public init(_ content: Content) {
        self.content = content
        signatures = []
        value = content.value
        signedBytes = value.olpcBytes
    }

    /// Reads a metadata file. Nothing is verified.
    ///
    /// - Throws: ``TrustError`` with code `malformed`.
    public init(parsing bytes: [UInt8]) throws(TrustError) {
        var fields = try Fields(
            CanonicalValue(strictJSON: bytes, of: Content.role), place: "\(Content.role.rawValue) metadata",
            role: Content.role)
        value = try fields.required("signed")
        var signatures: [MetadataSignature] = []
        for element in try fields.array("signatures") {
            var signature = try Fields(element, place: "a signature", role: Content.role)
            signatures.append(
                MetadataSignature(keyID: try signature.string("keyid"), bytes: try signature.bytes("sig")))
        }
        guard Set(signatures.map(\.keyID)).count == signatures.count else {
            throw fields.malformed("two signatures have the same key id")
        }
        self.signatures = signatures
        content = try Content(value: value)
        signedBytes = value.olpcBytes
    }

    /// The file: canonical JSON of signatures (by key id) and content.
    public var bytes: [UInt8] {
        let signatures = signatures.sorted { $0.keyID.precedes($1.keyID) }.map { signature in
            ["keyid": .string(signature.keyID), "sig": .string(signature.bytes.hexadecimal)] as CanonicalValue
        }
        return (["signatures": .array(signatures), "signed": value] as CanonicalValue).bytes
    }

    /// Signs with a key under the id that the root has for it, in place of that key's earlier signature.
    mutating func sign(with key: SigningKey, as id: String) throws(TrustError) {
        add(MetadataSignature(keyID: id, bytes: try key.sign(signedBytes)))
    }

    /// Adds a signature, in place of the same key's earlier one.
    mutating func add(_ signature: MetadataSignature) {
        signatures.removeAll { $0.keyID == signature.keyID }
        signatures.append(signature)
    }
}

extension CanonicalValue {
    init(strictJSON bytes: [UInt8], of role: MetadataRole) throws(TrustError) {
        do throws(TrustError) {
            try self.init(strictJSON: bytes)
        } catch {
            throw TrustError(error.code, role, "\(role.rawValue) metadata: \(error.message)")
        }
    }
}

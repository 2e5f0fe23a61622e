public import EnsembleModel

public import struct Foundation.Date

/// Which keys sign for a role, and how many of them must.
public struct RoleKeys: Hashable, Sendable {
    /// Ids of the role's keys, each once.
    public var keyIDs: [String]
    /// Signatures of different keys that make metadata valid, from 1.
    public var threshold: Int

    /// Creates the keys of a role.
    public init(keyIDs: [String], threshold: Int) {
        self.keyIDs = keyIDs
        self.threshold = threshold
    }
}

/// The root of trust: every role's keys and thresholds. One a registry.
public struct Root: SignedContent {
    public static let role = MetadataRole.root

    public var version: Int
    public var expires: Date
    /// Whether snapshot and targets files carry their version, and targets their digest, in the name.
    public var consistentSnapshot: Bool
    /// Every key by its id.
    public var keys: [String: PublicKey]
    /// The keys of each role; all four are there.
    public var roles: [MetadataRole: RoleKeys]
    /// Members that we do not know, kept.
    public var other: [String: CanonicalValue] = [:]

    public init(value: CanonicalValue) throws(TrustError) {
        var fields = try Fields(signed: value, role: .root)
        version = try fields.version()
        expires = try fields.expires()
        consistentSnapshot = fields.rest["consistent_snapshot"] == nil ? false : try fields.bool("consistent_snapshot")
        keys = [:]
        for (id, key) in try fields.members("keys") {
            keys[id] = try PublicKey(key, place: "key \(id.prefix(64))", role: .root)
        }
        var named = try fields.fields("roles")
        roles = [:]
        for role in MetadataRole.allCases {
            var entry = try named.fields(role.rawValue)
            var ids: [String] = []
            for id in try entry.array("keyids") {
                guard case .string(let id) = id, !ids.contains(id) else {
                    throw entry.malformed("'keyids' are not different texts")
                }
                ids.append(id)
            }
            roles[role] = RoleKeys(keyIDs: ids, threshold: try entry.integer("threshold", atLeast: 1))
        }
        other = fields.rest
    }

    /// Creates a root.
    public init(
        version: Int, expires: Date, consistentSnapshot: Bool = true, keys: [String: PublicKey],
        roles: [MetadataRole: RoleKeys]
    ) {
        self.version = version
        self.expires = expires
        self.consistentSnapshot = consistentSnapshot
        self.keys = keys
        self.roles = roles
    }

    public var value: CanonicalValue {
        let roles = roles.map { role, keys in
            (
                role.rawValue,
                [
                    "keyids": .array(keys.keyIDs.map { .string($0) }), "threshold": .integer(Int64(keys.threshold)),
                ] as CanonicalValue
            )
        }
        return .signed(
            .root, version: version, expires: expires,
            [
                "consistent_snapshot": .bool(consistentSnapshot), "keys": .object(keys.mapValues(\.value)),
                "roles": .object(Dictionary(uniqueKeysWithValues: roles)),
            ],
            other: other)
    }

    /// The different usable keys of a role: one listed under two ids counts once.
    public func publicKeys(of role: MetadataRole) -> Set<[UInt8]> {
        Set(roles[role].map { $0.keyIDs.compactMap { keys[$0]?.ed25519 } } ?? [])
    }

    /// The id under which a role lists a key; nil when it does not.
    public func keyID(of key: PublicKey, for role: MetadataRole) -> String? {
        guard let bytes = key.ed25519 else { return nil }
        return roles[role]?.keyIDs.first { keys[$0]?.ed25519 == bytes }
    }

    /// The role's keys that have signed: ids of different keys with a valid signature.
    func signers<Content>(of signed: Signed<Content>, as role: MetadataRole) -> [String] {
        var seen: Set<[UInt8]> = []
        return (roles[role]?.keyIDs ?? []).filter { id in
            guard let key = keys[id], let bytes = key.ed25519, !seen.contains(bytes),
                let signature = signed.signatures.first(where: { $0.keyID == id }),
                key.isValid(signature.bytes, of: signed.signedBytes)
            else { return false }
            seen.insert(bytes)
            return true
        }
    }

    /// Whether enough of a role's keys have signed.
    func isVerified<Content>(_ signed: Signed<Content>) -> Bool {
        signers(of: signed, as: Content.role).count >= roles[Content.role]?.threshold ?? .max
    }

    /// Makes sure that enough of a role's keys have signed.
    ///
    /// - Throws: ``TrustError`` with code `wrong_signature`.
    public func verify<Content>(_ signed: Signed<Content>) throws(TrustError) {
        guard !isVerified(signed) else { return }
        let role = Content.role
        throw TrustError(
            .wrongSignature, role,
            "\(role.rawValue) metadata version \(signed.content.version) has "
                + "\(signers(of: signed, as: role).count) valid signatures of the \(roles[role]?.threshold ?? 1) "
                + "that root version \(version) asks for")
    }
}

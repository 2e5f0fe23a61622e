public import struct Foundation.Date

/// The changes of a root: each gives the next version, to be signed through a ``RootProposal``.
extension Root {
    /// Version 1.
    ///
    /// - Parameters:
    ///   - keys: the public keys of every role.
    ///   - thresholds: signatures that each role needs; 1 where left out.
    /// - Throws: ``TrustError`` with code `invalid_change`.
    public static func first(
        keys: [MetadataRole: [PublicKey]], thresholds: [MetadataRole: Int] = [:],
        periods: ExpiryPeriods = ExpiryPeriods(), now: Date
    ) throws(TrustError) -> Root {
        var root = Root(version: 1, expires: periods.expiry(of: .root, from: now), keys: [:], roles: [:])
        for role in MetadataRole.allCases {
            root.roles[role] = RoleKeys(keyIDs: [], threshold: thresholds[role] ?? 1)
            for key in keys[role] ?? [] { try root.add(key, to: role) }
        }
        try root.check()
        return root
    }

    /// The next version, valid from now on; nothing else changed, which alone renews it.
    public func successor(now: Date, periods: ExpiryPeriods = ExpiryPeriods()) -> Root {
        var root = self
        root.version += 1
        root.expires = periods.expiry(of: .root, from: now)
        return root
    }

    /// Gives a role one more key.
    ///
    /// - Throws: ``TrustError`` with code `invalid_change` when the role has it, or it is no Ed25519 key.
    public mutating func add(_ key: PublicKey, to role: MetadataRole) throws(TrustError) {
        guard key.ed25519 != nil else {
            throw TrustError(.invalidChange, role, "only Ed25519 keys can be given to a role")
        }
        guard keyID(of: key, for: role) == nil else {
            throw TrustError(.invalidChange, role, "\(role.rawValue) has the key \(key.keyID) already")
        }
        keys[key.keyID] = key
        roles[role, default: RoleKeys(keyIDs: [], threshold: 1)].keyIDs.append(key.keyID)
    }

    /// Takes a key from a role.
    ///
    /// - Throws: ``TrustError`` with code `invalid_change` when the role does not have it.
    public mutating func revoke(_ keyID: String, from role: MetadataRole) throws(TrustError) {
        guard let index = roles[role]?.keyIDs.firstIndex(of: keyID) else {
            throw TrustError(.invalidChange, role, "\(role.rawValue) has no key \(keyID.prefix(64))")
        }
        roles[role]?.keyIDs.remove(at: index)
        if !roles.values.contains(where: { $0.keyIDs.contains(keyID) }) { keys[keyID] = nil }
    }

    /// Puts a new key in the place of one of a role's.
    ///
    /// - Throws: as ``add(_:to:)`` and ``revoke(_:from:)``.
    public mutating func rotate(_ keyID: String, to key: PublicKey, in role: MetadataRole) throws(TrustError) {
        try add(key, to: role)
        try revoke(keyID, from: role)
    }

    /// Makes sure that every role has as many usable keys as its threshold asks for.
    ///
    /// - Throws: ``TrustError`` with code `invalid_change`.
    func check() throws(TrustError) {
        for role in MetadataRole.allCases {
            let keys = publicKeys(of: role).count
            let threshold = roles[role]?.threshold ?? 1
            guard threshold >= 1, keys >= threshold else {
                throw TrustError(
                    .invalidChange, role,
                    "\(role.rawValue) would have \(keys) keys for a threshold of \(threshold): add keys first, or "
                        + "lower the threshold")
            }
        }
    }
}

public import struct Foundation.Date

/// A root at a glance: who holds what, what is met, and when it ends.
public struct RootStatus: Hashable, Sendable {
    /// One role of it.
    public struct RoleStatus: Hashable, Sendable {
        /// The role.
        public let role: MetadataRole
        /// Signatures needed.
        public let threshold: Int
        /// The ids of its keys.
        public let keyIDs: [String]
        /// Those of them whose private keys are at hand.
        public let heldKeyIDs: [String]
        /// Whether the keys at hand reach the threshold.
        public var isMet: Bool { heldKeyIDs.count >= threshold }
    }

    /// The root's version.
    public let version: Int
    /// When it ends.
    public let expires: Date
    /// Whether it has ended.
    public let isExpired: Bool
    /// Whether half of its time is over.
    public let isRenewalDue: Bool
    /// The four roles, in TUF's order.
    public let roles: [RoleStatus]

    /// Looks at a root.
    ///
    /// - Parameter held: public keys whose private halves are at hand.
    public init(
        of root: Root, held: [PublicKey], periods: ExpiryPeriods = ExpiryPeriods(), now: Date
    ) {
        version = root.version
        expires = root.expires
        isExpired = root.isExpired(at: now)
        isRenewalDue = periods.isRenewalDue(.root, expires: root.expires, now: now)
        roles = MetadataRole.allCases.map { role in
            let keys = root.roles[role] ?? RoleKeys(keyIDs: [], threshold: 1)
            let ids = Set(held.compactMap { root.keyID(of: $0, for: role) })
            return RoleStatus(
                role: role, threshold: keys.threshold, keyIDs: keys.keyIDs,
                heldKeyIDs: keys.keyIDs.filter { ids.contains($0) })
        }
    }
}

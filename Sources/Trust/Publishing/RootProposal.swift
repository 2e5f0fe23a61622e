/// A root on its way: signatures of its holders are collected, in any order and place, until the thresholds of the root
/// before and of the new one are met.
public struct RootProposal: Sendable {
    /// Signatures that are still missing for one root's threshold.
    public struct Missing: Hashable, Sendable {
        /// The version of the root that asks for them.
        public let version: Int
        /// How many more are needed.
        public let count: Int
        /// Who can give them.
        public let keyIDs: [String]
    }

    /// The root before; nil for version 1.
    public let current: Signed<Root>?
    /// The new root with the signatures so far.
    public private(set) var proposed: Signed<Root>

    /// Proposes version 1.
    ///
    /// - Throws: ``TrustError`` with code `invalid_change` when a role has fewer keys than its threshold.
    public init(first root: Root) throws(TrustError) { try self.init(Signed(root), replacing: nil) }

    /// Proposes the version after a complete root.
    ///
    /// - Throws: ``TrustError`` with code `invalid_change` when it is not the next version, or a role has fewer keys
    ///   than its threshold; `wrong_signature` when the current root is not complete.
    public init(_ root: Root, replacing current: Signed<Root>) throws(TrustError) {
        try self.init(Signed(root), replacing: current)
    }

    /// Reads a proposal that others may have signed: an unfinished root file.
    ///
    /// - Throws: as ``init(_:replacing:)``, and with code `malformed`.
    public init(parsing bytes: [UInt8], replacing current: Signed<Root>?) throws(TrustError) {
        try self.init(Signed(parsing: bytes), replacing: current)
    }

    private init(_ proposed: Signed<Root>, replacing current: Signed<Root>?) throws(TrustError) {
        let expected = (current?.content.version ?? 0) + 1
        guard proposed.content.version == expected else {
            throw TrustError(
                .invalidChange, .root,
                "the proposed root is version \(proposed.content.version), but the next one is \(expected)")
        }
        if let current { try current.content.verify(current) }
        try proposed.content.check()
        self.current = current
        self.proposed = proposed
    }

    /// Signs as a holder of a root key, of the old root or the new one.
    ///
    /// - Throws: ``TrustError`` with code `missing_key` for a key that is neither's.
    public mutating func sign(with key: SigningKey) throws(TrustError) {
        let ids = Set(deciding.compactMap { $0.keyID(of: key.publicKey, for: .root) })
        guard !ids.isEmpty else {
            throw TrustError(
                .missingKey, .root, "\(key.publicKey.keyID) is a root key neither of the old root nor of the new one")
        }
        for id in ids { try proposed.sign(with: key, as: id) }
    }

    /// Takes over the valid signatures of another holder's copy.
    ///
    /// - Throws: ``TrustError`` with code `equivocation` when the copy has another content.
    public mutating func merge(_ other: Signed<Root>) throws(TrustError) {
        guard other.signedBytes == proposed.signedBytes else {
            throw TrustError(.equivocation, .root, "the copies propose different roots: nothing was taken over")
        }
        let valid = Set(deciding.flatMap { $0.signers(of: other, as: .root) })
        for signature in other.signatures where valid.contains(signature.keyID) { proposed.add(signature) }
    }

    /// The ids of the root keys, old or new, that have signed.
    public var signers: Set<String> { Set(deciding.flatMap { $0.signers(of: proposed, as: .root) }) }

    /// What is still missing; empty when the root is complete.
    public var missing: [Missing] {
        deciding.compactMap { root in
            let signers = root.signers(of: proposed, as: .root)
            let keys = root.roles[.root] ?? RoleKeys(keyIDs: [], threshold: 1)
            let count = keys.threshold - signers.count
            guard count > 0 else { return nil }
            return Missing(
                version: root.version, count: count,
                keyIDs: keys.keyIDs.filter { root.keys[$0]?.ed25519 != nil && !signers.contains($0) })
        }
    }

    /// Whether all thresholds are met.
    public var isComplete: Bool { missing.isEmpty }

    /// The file with the signatures so far: to be handed to the next holder, or published once complete.
    public var bytes: [UInt8] { proposed.bytes }

    /// The complete root file.
    ///
    /// - Throws: ``TrustError`` with code `missing_key` that says whose signatures are missing.
    public func finished() throws(TrustError) -> MetadataFile {
        guard isComplete else {
            let wants = missing.map {
                "\($0.count) of \($0.keyIDs.joined(separator: ", ")) (root version \($0.version))"
            }
            throw TrustError(.missingKey, .root, "signatures are missing: \(wants.joined(separator: "; "))")
        }
        return MetadataFile(proposed)
    }

    /// The roots whose thresholds count.
    private var deciding: [Root] { (current.map { [$0.content] } ?? []) + [proposed.content] }
}

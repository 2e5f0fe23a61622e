public import struct Foundation.Date

/// Signs an ensemble's targets, snapshot and timestamp with the online keys that the root names.
///
/// Versions come from the caller, who counts each role's own: a renewal is a new version with the same content. Ed25519
/// signatures are deterministic where the library's are, so the same input gives the same bytes.
public struct MetadataWriter: Sendable {
    /// The root that names the keys.
    public let root: Signed<Root>
    /// The ensemble that is signed for.
    public let ensemble: String
    /// How long what is signed is valid.
    public let periods: ExpiryPeriods
    private let keys: [SigningKey]

    /// Prepares for signing.
    ///
    /// - Parameters:
    ///   - root: the newest root file, complete.
    ///   - keys: private keys at hand; those that have no part in the root are left aside.
    /// - Throws: ``TrustError`` with code `malformed` or `wrong_signature` for the root.
    public init(
        root: [UInt8], keys: [SigningKey], ensemble: String, periods: ExpiryPeriods = ExpiryPeriods()
    ) throws(TrustError) {
        let signed = try Signed<Root>(parsing: root)
        try signed.content.verify(signed)
        self.root = signed
        self.ensemble = ensemble
        self.periods = periods
        self.keys = keys
    }

    /// Whether the keys at hand reach a role's threshold.
    public func canSign(_ role: MetadataRole) -> Bool {
        signingKeys(of: role).count >= root.content.roles[role]?.threshold ?? .max
    }

    /// Signs targets.
    ///
    /// - Throws: ``TrustError`` with code `missing_key`.
    public func targets(version: Int, files: [TargetFile], now: Date) throws(TrustError) -> MetadataFile {
        try sign(
            Targets(
                version: version, expires: periods.expiry(of: .targets, from: now), files: files, ensemble: ensemble))
    }

    /// Signs a snapshot of targets.
    ///
    /// - Throws: ``TrustError`` with code `missing_key`.
    public func snapshot(version: Int, targets: MetadataFile, now: Date) throws(TrustError) -> MetadataFile {
        try sign(
            Snapshot(
                version: version, expires: periods.expiry(of: .snapshot, from: now), targets: targets.reference,
                ensemble: ensemble))
    }

    /// Signs a timestamp of a snapshot.
    ///
    /// - Parameter rollout: ten-thousandths of the nodes that may serve the newest manifest; nil for all.
    /// - Throws: ``TrustError`` with code `missing_key`.
    public func timestamp(
        version: Int, snapshot: MetadataFile, position: ManifestPosition, rollout: Int? = nil, now: Date
    ) throws(TrustError) -> MetadataFile {
        try sign(
            Timestamp(
                version: version, expires: periods.expiry(of: .timestamp, from: now), snapshot: snapshot.reference,
                ensemble: ensemble, position: position, rollout: rollout))
    }

    /// The role's different keys at hand, by the ids that the root has for them.
    private func signingKeys(of role: MetadataRole) -> [String: SigningKey] {
        var found: [String: SigningKey] = [:]
        for key in keys {
            if let id = root.content.keyID(of: key.publicKey, for: role) { found[id] = key }
        }
        return found
    }

    private func sign<Content: SignedContent>(_ content: Content) throws(TrustError) -> MetadataFile {
        guard canSign(Content.role) else {
            throw TrustError(
                .missingKey, Content.role,
                "root version \(root.content.version) asks for \(root.content.roles[Content.role]?.threshold ?? 1) "
                    + "\(Content.role.rawValue) keys; \(signingKeys(of: Content.role).count) of them are here")
        }
        var signed = Signed(content)
        for (id, key) in signingKeys(of: Content.role) { try signed.sign(with: key, as: id) }
        return MetadataFile(signed)
    }
}

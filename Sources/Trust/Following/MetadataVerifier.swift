public import EnsembleModel

import struct Foundation.Date

/// The checks of TUF's client workflow (specification 1.0, sections 5.3 to 5.6) that need no earlier metadata but the
/// root.
struct MetadataVerifier {
    private(set) var root: Signed<Root>
    let ensemble: String?
    let limits: TrustLimits

    /// Verifies a chain of roots; the first is trusted as it is, if it is complete.
    init(roots: [[UInt8]], ensemble: String?, limits: TrustLimits) throws(TrustError) {
        guard let first = roots.first else {
            throw TrustError(.notFound, .root, "there is no root to trust: install the registry's root file")
        }
        root = try Self.parse(first, limits: limits)
        self.ensemble = ensemble
        self.limits = limits
        try root.content.verify(root)
        for next in roots.dropFirst() { try advance(to: next) }
    }

    /// Takes the next root (5.3.3 to 5.3.7): signed by enough keys of the root before and of itself, and its successor.
    mutating func advance(to bytes: [UInt8]) throws(TrustError) {
        let next: Signed<Root> = try Self.parse(bytes, limits: limits)
        try root.content.verify(next)
        try next.content.verify(next)
        guard next.content.version == root.content.version + 1 else {
            throw TrustError(
                .rollback, .root,
                "root version \(next.content.version) was given where \(root.content.version + 1) was asked for")
        }
        root = next
    }

    func timestamp(_ bytes: [UInt8]) throws(TrustError) -> Signed<Timestamp> {
        let timestamp: Signed<Timestamp> = try verified(bytes)
        try check(timestamp.content.ensemble, of: .timestamp)
        return timestamp
    }

    func snapshot(_ bytes: [UInt8], as reference: FileReference?) throws(TrustError) -> Signed<Snapshot> {
        let snapshot: Signed<Snapshot> = try verified(bytes, as: reference)
        try check(snapshot.content.ensemble, of: .snapshot)
        return snapshot
    }

    func targets(_ bytes: [UInt8], as reference: FileReference?) throws(TrustError) -> Signed<Targets> {
        let targets: Signed<Targets> = try verified(bytes, as: reference)
        try check(targets.content.ensemble, of: .targets)
        for file in targets.content.files where file.length > limits.targetBytes {
            throw TrustError(
                .tooLarge, .targets,
                "target \(file.path) has \(file.length) bytes; at most \(limits.targetBytes) are taken")
        }
        return targets
    }

    /// Length and digest (5.5.2, 5.6.2), signatures (5.5.3, 5.6.3), version (5.5.4, 5.6.4).
    private func verified<Content>(
        _ bytes: [UInt8], as reference: FileReference? = nil
    ) throws(TrustError) -> Signed<Content> {
        let role = Content.role
        if let length = reference?.length, bytes.count != length {
            throw TrustError(
                .lengthMismatch, role, "\(role.rawValue) metadata has \(bytes.count) bytes instead of \(length)")
        }
        if let sha256 = reference?.sha256, ContentDigest.of(bytes) != sha256 {
            throw TrustError(
                .hashMismatch, role, "\(role.rawValue) metadata has sha256 \(ContentDigest.of(bytes)), not \(sha256)")
        }
        let signed: Signed<Content> = try Self.parse(bytes, limits: limits)
        try root.content.verify(signed)
        if let version = reference?.version, signed.content.version != version {
            throw TrustError(
                .mixAndMatch, role,
                "\(role.rawValue) metadata is version \(signed.content.version) instead of \(version)")
        }
        return signed
    }

    static func checkExpiry<Content: SignedContent>(of content: Content, now: Date) throws(TrustError) {
        guard content.isExpired(at: now) else { return }
        throw TrustError(
            .expired, Content.role,
            "\(Content.role.rawValue) metadata version \(content.version) expired at "
                + "\(UTCTime.text(content.expires)): the registry does not renew it, or somebody withholds it")
    }

    private func check(_ named: String?, of role: MetadataRole) throws(TrustError) {
        guard let ensemble, let named, named != ensemble else { return }
        throw TrustError(
            .wrongEnsemble, role, "\(role.rawValue) metadata is for '\(named.prefix(128))', not for '\(ensemble)'")
    }

    private static func parse<Content>(
        _ bytes: [UInt8], limits: TrustLimits
    ) throws(TrustError) -> Signed<Content> {
        let limit = limits.bytes(of: Content.role)
        guard bytes.count <= limit else {
            throw TrustError(
                .tooLarge, Content.role,
                "\(Content.role.rawValue) metadata has \(bytes.count) bytes; at most \(limit) are taken")
        }
        return try Signed(parsing: bytes)
    }
}

extension TargetFile {
    /// Makes sure that a file is the one described.
    ///
    /// - Throws: ``TrustError`` with code `length_mismatch` or `hash_mismatch`.
    public func check(length: Int, sha256: ContentDigest) throws(TrustError) {
        guard length == self.length else {
            throw TrustError(.lengthMismatch, .targets, "target \(path) has \(length) bytes instead of \(self.length)")
        }
        guard sha256 == self.sha256 else {
            throw TrustError(.hashMismatch, .targets, "target \(path) has sha256 \(sha256), not \(self.sha256)")
        }
    }
}

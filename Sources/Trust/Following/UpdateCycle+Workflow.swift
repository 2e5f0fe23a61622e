import EnsembleModel

import struct Foundation.Date

/// The steps of the workflow. Numbers are sections of the TUF specification 1.0.
extension UpdateCycle {
    /// 5.3.2
    func fetchRoot() -> Action {
        .fetch(.root, version: root.version + 1, maximumBytes: verifier.limits.rootBytes, sha256: nil)
    }

    /// 5.3.3 to 5.3.9. Expiry of a root in between does not matter.
    mutating func takeRoot(_ bytes: [UInt8], count: Int) throws(TrustError) -> [Action] {
        guard count <= verifier.limits.rootRotations else {
            throw TrustError(
                .endlessRoots, .root,
                "more than \(verifier.limits.rootRotations) new root versions came in one update: what was verified "
                    + "is kept, the next update goes on from there")
        }
        let before = root
        try verifier.advance(to: bytes)
        trusted.roots.append(bytes)
        state = .roots(count: count)
        var actions: [Action] = []
        if [.timestamp, .snapshot].contains(where: { isRotated($0, since: before) }) {
            (trusted.timestamp, trusted.snapshot) = (nil, nil)
            actions.append(.discard([.timestamp, .snapshot], because: nil))
        }
        return actions + [
            .store([MetadataFile(role: .root, version: root.version, bytes: bytes)]), fetchRoot(),
        ]
    }

    private func isRotated(_ role: MetadataRole, since before: Root) -> Bool {
        before.publicKeys(of: role) != root.publicKeys(of: role)
            || before.roles[role]?.threshold != root.roles[role]?.threshold
    }

    /// 5.3.10, then asks for the timestamp (5.4.1).
    mutating func finishRoots(now: Date) throws(TrustError) -> [Action] {
        try MetadataVerifier.checkExpiry(of: root, now: now)
        var actions: [Action] = []
        for role in [MetadataRole.timestamp, .snapshot, .targets] {
            do throws(TrustError) {
                try load(role)
            } catch {
                actions.append(.discard([role], because: error))
            }
        }
        state = .timestamp
        return actions + [
            .fetch(.timestamp, version: nil, maximumBytes: verifier.limits.timestampBytes, sha256: nil)
        ]
    }

    /// Reads stored metadata, which the root in force must still vouch for; expired it may be.
    private mutating func load(_ role: MetadataRole) throws(TrustError) {
        switch role {
        case .root: break
        case .timestamp:
            guard let bytes = trusted.timestamp else { return }
            trusted.timestamp = nil
            old.timestamp = try verifier.timestamp(bytes)
            trusted.timestamp = bytes
        case .snapshot:
            guard let bytes = trusted.snapshot else { return }
            trusted.snapshot = nil
            old.snapshot = try verifier.snapshot(bytes, as: nil)
            trusted.snapshot = bytes
        case .targets:
            guard let bytes = trusted.targets else { return }
            trusted.targets = nil
            old.targets = try verifier.targets(bytes, as: nil)
            trusted.targets = bytes
        }
    }

    /// 5.4.2 to 5.4.4, then the snapshot.
    mutating func takeTimestamp(_ bytes: [UInt8], now: Date) throws(TrustError) -> [Action] {
        let timestamp = try verifier.timestamp(bytes)
        if let old = old.timestamp { try checkSuccession(of: timestamp, to: old) }
        try MetadataVerifier.checkExpiry(of: timestamp.content, now: now)
        new.timestamp = timestamp
        if timestamp.signedBytes != old.timestamp?.signedBytes {
            pending.append(MetadataFile(role: .timestamp, version: timestamp.content.version, bytes: bytes))
        }
        let reference = timestamp.content.snapshot
        if let stored = trusted.snapshot, stored.isNamed(by: reference, version: old.snapshot?.content.version) {
            return try takeSnapshot(stored, now: now)
        }
        state = .snapshot
        return [try fetch(.snapshot, reference)]
    }

    /// 5.4.3, and that neither content under a trusted version nor the manifest's place goes back.
    private func checkSuccession(
        of new: Signed<Timestamp>, to old: Signed<Timestamp>
    ) throws(TrustError) {
        let version = new.content.version
        try checkVersion(of: new, notBefore: old)
        guard new.content.snapshot.version >= old.content.snapshot.version else {
            throw TrustError(
                .rollback, .timestamp,
                "timestamp version \(version) names snapshot version \(new.content.snapshot.version), "
                    + "but \(old.content.snapshot.version) is trusted")
        }
        if let position = new.content.position, let trusted = old.content.position, position < trusted {
            throw TrustError(
                .rollback, .timestamp,
                "timestamp version \(version) names generation \(position.generation), sequence \(position.sequence), "
                    + "but \(trusted.generation), \(trusted.sequence) is trusted")
        }
    }

    /// 5.5, then the targets.
    mutating func takeSnapshot(_ bytes: [UInt8], now: Date) throws(TrustError) -> [Action] {
        let snapshot = try verifier.snapshot(bytes, as: new.timestamp?.content.snapshot)
        if let old = old.snapshot {
            try checkVersion(of: snapshot, notBefore: old)
            for (name, reference) in old.content.meta {
                guard let version = snapshot.content.meta[name]?.version, version >= reference.version else {
                    throw TrustError(
                        .rollback, .snapshot,
                        "snapshot version \(snapshot.content.version) has \(name.prefix(128)) older than version "
                            + "\(reference.version), which is trusted, or not at all")
                }
            }
        }
        try MetadataVerifier.checkExpiry(of: snapshot.content, now: now)
        new.snapshot = snapshot
        if bytes != trusted.snapshot {
            pending.append(MetadataFile(role: .snapshot, version: snapshot.content.version, bytes: bytes))
        }
        guard let reference = snapshot.content.meta[Snapshot.targetsName] else { return [] }
        if let stored = trusted.targets, stored.isNamed(by: reference, version: old.targets?.content.version) {
            return try takeTargets(stored, now: now)
        }
        state = .targets
        return [try fetch(.targets, reference)]
    }

    /// 5.6, then the downloads (5.7).
    mutating func takeTargets(_ bytes: [UInt8], now: Date) throws(TrustError) -> [Action] {
        let targets = try verifier.targets(bytes, as: new.snapshot?.content.meta[Snapshot.targetsName])
        // Without a trusted snapshot (fast-forward recovery) versions may start again.
        if let old = old.targets, self.old.snapshot != nil { try checkVersion(of: targets, notBefore: old) }
        try MetadataVerifier.checkExpiry(of: targets.content, now: now)
        new.targets = targets
        if bytes != trusted.targets {
            pending.append(MetadataFile(role: .targets, version: targets.content.version, bytes: bytes))
        }
        let wanted = targets.content.files.filter { !held.contains($0.sha256) }
        guard !wanted.isEmpty else { return finish() }
        state = .downloads(Dictionary(wanted.map { ($0.path, $0) }) { $1 })
        return [.download(wanted)]
    }

    /// Versions only grow, and one version has one content.
    private func checkVersion<Content>(
        of new: Signed<Content>, notBefore old: Signed<Content>
    ) throws(TrustError) {
        let (role, version) = (Content.role, new.content.version)
        guard version >= old.content.version else {
            throw TrustError(
                .rollback, role,
                "\(role.rawValue) metadata is version \(version), but \(old.content.version) is trusted")
        }
        guard version > old.content.version || new.signedBytes == old.signedBytes else {
            throw TrustError(
                .equivocation, role,
                "\(role.rawValue) metadata has version \(version) like the trusted one, but says other")
        }
    }

    private func fetch(_ role: MetadataRole, _ reference: FileReference) throws(TrustError) -> Action {
        let limit = verifier.limits.bytes(of: role)
        guard reference.length ?? 0 <= limit else {
            throw TrustError(
                .tooLarge, role,
                "\(role.rawValue) metadata has \(reference.length ?? 0) bytes; at most \(limit) are taken")
        }
        return .fetch(
            role, version: root.consistentSnapshot ? reference.version : nil,
            maximumBytes: reference.length ?? limit, sha256: reference.sha256)
    }

    /// Everything is verified: hands out what to store.
    mutating func finish() -> [Action] {
        state = .finished
        guard let timestamp = new.timestamp, let targets = new.targets else { return [] }
        for file in pending {
            switch file.role {
            case .root: break
            case .timestamp: trusted.timestamp = file.bytes
            case .snapshot: trusted.snapshot = file.bytes
            case .targets: trusted.targets = file.bytes
            }
        }
        let update = Update(
            trusted: trusted, timestamp: timestamp.content, targets: targets.content,
            isNew: targets.content.files != old.targets?.content.files)
        return (pending.isEmpty ? [] : [.store(pending)]) + [.finish(.success(update))]
    }
}

extension [UInt8] {
    /// Whether a stored file of a version is the one that metadata names.
    fileprivate func isNamed(by reference: FileReference, version: Int?) -> Bool {
        version == reference.version && reference.length ?? count == count
            && reference.sha256 ?? .of(self) == .of(self)
    }
}

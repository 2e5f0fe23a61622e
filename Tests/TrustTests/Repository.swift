import EnsembleModel
import Foundation
import Testing

@testable import Trust

/// A registry of two ensembles whose files are made on demand, with every private key at hand.
struct Repository {
    static let start = Date(timeIntervalSince1970: 1_900_000_000)

    let now: Date
    var keys: [MetadataRole: [SigningKey]]
    var roots: [MetadataFile] = []
    var ensemble = "esci-us"
    var files: [String: [UInt8]] = [
        "esci-us/manifest.json": Array("{}".utf8), "esci-us/combiner.txt": Array("tree\n".utf8),
    ]

    /// One key a role but for the root, which has 3 with a threshold of 2.
    init(at now: Date = Self.start) throws {
        self.now = now
        keys = [.root: [SigningKey(), SigningKey(), SigningKey()]]
        for role in [MetadataRole.targets, .snapshot, .timestamp] { keys[role] = [SigningKey()] }
        let root = try Root.first(
            keys: keys.mapValues { $0.map(\.publicKey) }, thresholds: [.root: 2], now: now)
        var proposal = try RootProposal(first: root)
        for key in (keys[.root] ?? []).prefix(2) { try proposal.sign(with: key) }
        roots = [try proposal.finished()]
    }

    var newestRoot: Signed<Root> {
        get throws { try Signed(parsing: roots[roots.count - 1].bytes) }
    }

    /// Publishes the next root, signed by every root key at hand (and those given).
    mutating func publishRoot(signedBy more: [SigningKey] = [], _ change: (inout Root) throws -> Void) throws {
        let current = try newestRoot
        var root = current.content.successor(now: now)
        try change(&root)
        var proposal = try RootProposal(root, replacing: current)
        for key in (keys[.root] ?? []) + more { try? proposal.sign(with: key) }
        roots.append(try proposal.finished())
    }

    /// Puts a new key in the place of a role's first.
    mutating func rotate(_ role: MetadataRole) throws {
        let (old, new) = ((keys[role] ?? [])[0], SigningKey())
        try publishRoot(signedBy: [new]) { root in
            try root.rotate(old.publicKey.keyID, to: new.publicKey, in: role)
        }
        keys[role]?[0] = new
    }

    func writer() throws -> MetadataWriter {
        try MetadataWriter(
            root: roots[roots.count - 1].bytes, keys: keys.values.flatMap { $0 }, ensemble: ensemble)
    }

    /// Timestamp, snapshot and targets, all of one version.
    func release(
        _ version: Int = 1, generation: Int = 1, sequence: Int? = nil, at time: Date? = nil
    ) throws -> Release {
        let now = time ?? now
        let writer = try writer()
        let files = try files.map { try TargetFile(path: $0.key, bytes: $0.value) }
        let targets = try writer.targets(version: version, files: files, now: now)
        let snapshot = try writer.snapshot(version: version, targets: targets, now: now)
        let timestamp = try writer.timestamp(
            version: version, snapshot: snapshot,
            position: ManifestPosition(generation: generation, sequence: sequence ?? version), now: now)
        return Release(
            roots: roots, timestamp: timestamp.bytes, snapshot: snapshot.bytes, targets: targets.bytes,
            files: self.files)
    }
}

/// What a registry serves for an ensemble at one moment.
struct Release {
    var roots: [MetadataFile]
    var timestamp: [UInt8]
    var snapshot: [UInt8]
    var targets: [UInt8]
    var files: [String: [UInt8]]

    /// The first root only, as a node is installed with.
    var installed: TrustedMetadata { TrustedMetadata(roots: [roots[0].bytes]) }

    /// The outcome of a cycle against this, and all its actions.
    func follow(
        from trusted: TrustedMetadata? = nil, ensemble: String? = "esci-us", held: Set<ContentDigest> = [],
        limits: TrustLimits = TrustLimits(), at now: Date = Repository.start
    ) throws -> Followed {
        var cycle = try UpdateCycle(trusted: trusted ?? installed, ensemble: ensemble, held: held, limits: limits)
        return cycle.run(at: now) { role, version in
            switch role {
            case .root: roots.first { $0.version == version }.map { .bytes($0.bytes) } ?? .notFound
            case .timestamp: .bytes(timestamp)
            case .snapshot: .bytes(snapshot)
            case .targets: .bytes(targets)
            }
        } target: { file in
            files[file.path].map { .bytes($0) } ?? .notFound
        }
    }
}

/// How a cycle went.
struct Followed {
    var result: Result<UpdateCycle.Update, TrustError>
    var actions: [UpdateCycle.Action]
    /// What is stored in the end.
    var trusted: TrustedMetadata

    var error: TrustError? {
        if case .failure(let error) = result { error } else { nil }
    }

    /// The roles of each action that stores.
    var stored: [[MetadataRole]] {
        actions.compactMap { if case .store(let files) = $0 { files.map(\.role) } else { nil } }
    }

    var discarded: [[MetadataRole]] {
        actions.compactMap { if case .discard(let roles, _) = $0 { roles } else { nil } }
    }

    var fetched: [MetadataRole] {
        actions.compactMap { if case .fetch(let role, _, _, _) = $0 { role } else { nil } }
    }
}

extension UpdateCycle {
    /// Does what the cycle says, to its end.
    mutating func run(
        at now: Date, fetch: (MetadataRole, Int?) -> Answer, target: (TargetFile) -> Answer
    ) -> Followed {
        var actions = start(now: now)
        var done = 0
        while done < actions.count {
            let action = actions[done]
            done += 1
            switch action {
            case .finish(let result): return Followed(result: result, actions: actions, trusted: trusted)
            case .store, .discard: break
            case .fetch(let role, let version, _, _): actions += receive(fetch(role, version), now: now)
            case .download(let files): for file in files { actions += receive(target(file), target: file.path) }
            }
        }
        Issue.record("the cycle stands still after \(actions)")
        return Followed(
            result: .failure(TrustError(.unexpected, nil, "stuck")), actions: actions, trusted: trusted)
    }
}

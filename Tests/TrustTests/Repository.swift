import EnsembleModel
import Foundation
import Trust

/// A registry of two ensembles whose files are made on demand, with every private key at hand.
struct Repository {
    static let start = Date(timeIntervalSince1970: 1_900_000_000)

    var keys: [MetadataRole: [SigningKey]]
    var roots: [MetadataFile] = []
    var ensemble = "esci-us"
    var files: [String: [UInt8]] = [
        "esci-us/manifest.json": Array("{}".utf8), "esci-us/combiner.txt": Array("tree\n".utf8),
    ]

    /// One key a role but for the root, which has 3 with a threshold of 2.
    init() throws {
        keys = [.root: [SigningKey(), SigningKey(), SigningKey()]]
        for role in [MetadataRole.targets, .snapshot, .timestamp] { keys[role] = [SigningKey()] }
        let root = try Root.first(
            keys: keys.mapValues { $0.map(\.publicKey) }, thresholds: [.root: 2], now: Self.start)
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
        var root = current.content.successor(now: Self.start)
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
        _ version: Int = 1, generation: Int = 1, sequence: Int? = nil, at now: Date = Self.start
    ) throws -> Release {
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
    ) throws -> (result: Result<UpdateCycle.Update, TrustError>, actions: [UpdateCycle.Action]) {
        var cycle = try UpdateCycle(trusted: trusted ?? installed, ensemble: ensemble, held: held, limits: limits)
        var actions = cycle.start(now: now)
        var done = 0
        while done < actions.count {
            let action = actions[done]
            done += 1
            switch action {
            case .finish(let result): return (result, actions)
            case .store, .discard: break
            case .fetch(let role, let version, _, _):
                actions += cycle.receive(answer(role, version), now: now)
            case .download(let wanted):
                for file in wanted {
                    actions += cycle.receive(files[file.path].map { .bytes($0) } ?? .notFound, target: file.path)
                }
            }
        }
        throw Stuck()
    }

    struct Stuck: Error {}

    private func answer(_ role: MetadataRole, _ version: Int?) -> UpdateCycle.Answer {
        switch role {
        case .root: roots.first { $0.version == version }.map { .bytes($0.bytes) } ?? .notFound
        case .timestamp: .bytes(timestamp)
        case .snapshot: .bytes(snapshot)
        case .targets: .bytes(targets)
        }
    }
}

extension Result where Failure == TrustError {
    /// The error, if it is one.
    var error: TrustError? {
        if case .failure(let error) = self { error } else { nil }
    }
}

import EnsembleModel
import Forest
import Foundation
import Logging
import NIOCore
import RegistryClient
import Trust

/// One run of TUF's client workflow against the registry: fetches and downloads what ``UpdateCycle`` asks for.
struct UpdateRun {
    let selection: Selection
    let client: RegistryClient
    let slots: EnsembleSlots
    let limits: NodeLimits
    let now: @Sendable () -> Date
    let logger: Logger
    /// The newest timestamp file, fetched before; not verified.
    let timestamp: [UInt8]

    /// What is to be trusted from now on if the run fails: new roots count at once.
    private(set) var trusted: TrustedMetadata
    /// What is done about the newest manifest; nil until it is known.
    private(set) var decision: Selection.Decision?
    /// The newest manifest's digest; nil until it is known.
    private(set) var newest: ContentDigest?
    /// The newest manifest's file, if it was fetched.
    private(set) var manifest: [UInt8]?
    private var stage = NodeReport.Stage.verify
    private var hasConsistentPaths = true

    init(
        _ selection: Selection, from trusted: TrustedMetadata, timestamp: [UInt8], client: RegistryClient,
        slots: EnsembleSlots, limits: NodeLimits, now: @escaping @Sendable () -> Date, logger: Logger
    ) {
        self.selection = selection
        self.trusted = trusted
        self.timestamp = timestamp
        self.client = client
        self.slots = slots
        self.limits = limits
        self.now = now
        self.logger = logger
    }

    private var ensemble: String { selection.ensemble }

    /// Runs to the end.
    ///
    /// - Throws: ``Setback``.
    mutating func run() async throws -> UpdateCycle.Update {
        do {
            return try await runCycle()
        } catch {
            throw Setback(stage, ensemble: ensemble, error)
        }
    }

    private mutating func runCycle() async throws -> UpdateCycle.Update {
        var cycle = try UpdateCycle(trusted: trusted, ensemble: ensemble, held: selection.held)
        var actions = cycle.start(now: now())
        while !actions.isEmpty {
            switch actions.removeFirst() {
            case .fetch(let role, let version, let maximumBytes, _):
                let answer = try await fetch(role, version: version, maximumBytes: maximumBytes)
                actions += cycle.receive(answer, now: now())
            case .download(let files):
                guard let timestamp = cycle.timestamp, let targets = cycle.targets else { break }
                try decide(timestamp, targets)
                hasConsistentPaths = cycle.root.consistentSnapshot
                for file in files where actions.isEmpty {
                    actions += cycle.receive(try await download(file), target: file.path)
                }
            case .discard(let roles, let reason): discard(roles, because: reason)
            case .store(let files):
                for file in files where file.role == .root { trusted.roots = [file.bytes] }
            case .finish(let result):
                let update = try result.get()
                if decision == nil { try decide(update.timestamp, update.targets) }
                return update
            }
        }
        throw NodeError(.untrusted, "the update came to no end")
    }

    private mutating func decide(_ timestamp: Timestamp, _ targets: Targets) throws(NodeError) {
        newest = try selection.manifest(targets).sha256
        decision = try selection.decision(timestamp: timestamp, targets: targets)
    }

    private mutating func discard(_ roles: [MetadataRole], because reason: TrustError?) {
        for role in roles {
            switch role {
            case .root: break
            case .timestamp: trusted.timestamp = nil
            case .snapshot: trusted.snapshot = nil
            case .targets: trusted.targets = nil
            }
        }
        logger.notice(
            "Discarded trusted metadata",
            metadata: [
                "roles": "\(roles.map(\.rawValue).joined(separator: ","))",
                "reason": "\(reason?.description ?? "its keys were rotated")",
            ])
    }

    private func fetch(
        _ role: MetadataRole, version: Int?, maximumBytes: Int
    ) async throws -> UpdateCycle.Answer {
        if role == .timestamp { return .bytes(timestamp) }
        let file = version.map { role.fileName(version: $0) } ?? "\(role.rawValue).json"
        let bytes = try await client.metadata(ensemble: ensemble, file: file, maximumBytes: maximumBytes)
        return bytes.map { .bytes($0) } ?? .notFound
    }

    private mutating func download(_ file: TargetFile) async throws -> UpdateCycle.Answer {
        guard decision == .take else { return .notNeeded }
        stage = .download
        switch file.path {
        case Targets.manifestPath(ensemble):
            try check(file, limit: limits.manifestBytes)
            var bytes: [UInt8] = []
            try await stream(file) { bytes += $0 }
            manifest = bytes
            return .bytes(bytes)
        case Targets.combinerPath(ensemble):
            try check(file, limit: limits.forest.bytes)
            return try await downloadCombiner(file)
        default: return .notNeeded
        }
    }

    private func downloadCombiner(_ file: TargetFile) async throws -> UpdateCycle.Answer {
        if let kept = slots.combiner(file.sha256) { return .measured(length: kept.count, sha256: file.sha256) }
        let unfinished = try slots.unfinishedCombiner(file.sha256)
        var (length, hasher) = (0, ContentHasher())
        try await stream(file) { bytes in
            length += bytes.count
            hasher.update(bytes)
            try unfinished.append(bytes)
        }
        let sha256 = hasher.finish()
        if sha256 == file.sha256 { try unfinished.finish() }
        return .measured(length: length, sha256: sha256)
    }

    private func check(_ file: TargetFile, limit: Int) throws(NodeError) {
        guard file.length <= limit else {
            throw NodeError(.invalidManifest, "\(file.path) has \(file.length) bytes; the limit is \(limit)")
        }
    }

    /// Downloads a target piece by piece: no longer than signed, and not for ever.
    private func stream(_ file: TargetFile, _ receive: ([UInt8]) throws -> Void) async throws {
        let end = ContinuousClock.now + limits.download
        let path = hasConsistentPaths ? file.consistentPath : file.path
        try await client.target(ensemble: ensemble, path: path, maximumBytes: file.length) { piece in
            guard ContinuousClock.now < end else {
                throw NodeError(.registryUnavailable, "\(file.path) did not come within \(limits.download)")
            }
            try receive(Array(piece.readableBytesView))
        }
    }
}

import EnsembleModel
import Foundation
import RegistryStore
import Synchronization
import Trust

/// Signs with the keys that this daemon holds, as the registry's newest root allows.
final class DaemonSigner: MetadataSigner {
    private struct State {
        var root: SignedMetadata
        var keys: [SigningKey]
    }

    private let state: Mutex<State>

    /// - Parameters:
    ///   - root: the registry's newest root.
    ///   - keys: private keys; those that the root does not name are left aside.
    init(root: SignedMetadata, keys: [SigningKey]) {
        state = Mutex(State(root: root, keys: keys))
    }

    /// Goes over to another root, and to the keys at hand now.
    func use(root: SignedMetadata, keys: [SigningKey]) {
        state.withLock { $0 = State(root: root, keys: keys) }
    }

    var rootVersion: Int { state.withLock(\.root.version) }

    /// The online roles that the keys at hand cannot sign for.
    func missingRoles() throws -> [MetadataRole] {
        let writer = try writer(for: "")
        return [.targets, .snapshot, .timestamp].filter { !writer.canSign($0) }
    }

    func targets(_ published: PublishedFiles, version: Int, now: Date) throws -> [UInt8] {
        let ensemble = published.champion.ensemble
        return try signing {
            try writer(for: ensemble).targets(
                version: version,
                files: [
                    TargetFile(
                        path: PublishedTarget.manifest.path(of: ensemble), length: published.manifest.length,
                        sha256: published.manifest.sha256),
                    TargetFile(
                        path: PublishedTarget.combiner.path(of: ensemble), length: published.combiner.length,
                        sha256: published.combiner.sha256),
                ], now: now)
        }
    }

    func snapshot(
        of champion: ChampionNumber, targets: SignedMetadata, version: Int, now: Date
    ) throws -> [UInt8] {
        try signing {
            try writer(for: champion.ensemble).snapshot(
                version: version, targets: MetadataFile(role: .targets, version: targets.version, bytes: targets.bytes),
                now: now)
        }
    }

    func timestamp(
        of champion: ChampionNumber, snapshot: SignedMetadata, rollout: Int?, version: Int, now: Date
    ) throws -> [UInt8] {
        try signing {
            try writer(for: champion.ensemble).timestamp(
                version: version,
                snapshot: MetadataFile(role: .snapshot, version: snapshot.version, bytes: snapshot.bytes),
                position: ManifestPosition(generation: champion.generation, sequence: champion.sequence),
                rollout: rollout, now: now)
        }
    }

    private func writer(for ensemble: String) throws -> MetadataWriter {
        let state = state.withLock(\.self)
        return try MetadataWriter(root: state.root.bytes, keys: state.keys, ensemble: ensemble)
    }

    private func signing(_ sign: () throws -> MetadataFile) throws -> [UInt8] {
        do {
            return try sign().bytes
        } catch let error as TrustError where error.code == .missingKey {
            throw StoreError(
                .signingKeysMissing, "this daemon cannot sign: \(error.message); give it the key with --keys",
                cause: error)
        }
    }
}

/// The files that an ensemble's targets list.
enum PublishedTarget: String, CaseIterable {
    case manifest = "manifest.json"
    case combiner = "combiner.txt"

    /// The path that targets list it under.
    func path(of ensemble: String) -> String { "\(ensemble)/\(rawValue)" }
}

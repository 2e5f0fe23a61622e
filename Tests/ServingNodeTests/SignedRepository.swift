import EnsembleModel
import Foundation
import Trust

/// The signed files of one ensemble, with every private key at hand.
struct SignedRepository: Sendable {
    static let start = Date(timeIntervalSince1970: 1_900_000_000)

    private(set) var keys: [MetadataRole: SigningKey] = [:]
    private(set) var roots: [MetadataFile] = []
    var version = 0
    /// When everything is signed.
    var now = Self.start
    let ensemble: String

    init(ensemble: String = "digits") throws {
        self.ensemble = ensemble
        for role in MetadataRole.allCases { keys[role] = SigningKey() }
        let root = try Root.first(keys: keys.mapValues { [$0.publicKey] }, now: now)
        try add(RootProposal(first: root))
    }

    private mutating func add(_ proposal: RootProposal, signedBy new: [SigningKey] = []) throws {
        var proposal = proposal
        for key in [keys[.root]].compactMap({ $0 }) + new { try proposal.sign(with: key) }
        roots.append(try proposal.finished())
    }

    var newestRoot: [UInt8] { roots.last?.bytes ?? [] }

    /// Publishes a root in which a role has another key; `keepsOld` goes on signing with the old one.
    mutating func rotate(_ role: MetadataRole, keepsOld: Bool = false) throws {
        let current = try Signed<Root>(parsing: newestRoot)
        let new = SigningKey()
        var root = current.content.successor(now: now)
        if let old = keys[role]?.publicKey { try root.rotate(old.keyID, to: new.publicKey, in: role) }
        try add(RootProposal(root, replacing: current), signedBy: role == .root ? [new] : [])
        if !keepsOld { keys[role] = new }
    }

    /// Everything signed anew under the next version.
    ///
    /// - Parameters:
    ///   - signer: a root whose keys sign; the newest if nil.
    ///   - name: the ensemble that is signed for; its own if nil.
    /// - Returns: files by their path below `/tuf/ENSEMBLE/`.
    mutating func publish(
        manifest: [UInt8], combiner: [UInt8], position: ManifestPosition, rollout: Int? = nil, signer: [UInt8]? = nil,
        for name: String? = nil
    ) throws -> [String: [UInt8]] {
        version += 1
        let writer = try MetadataWriter(
            root: signer ?? newestRoot, keys: Array(keys.values), ensemble: name ?? ensemble)
        let files = [
            try TargetFile(path: "\(ensemble)/manifest.json", bytes: manifest),
            try TargetFile(path: "\(ensemble)/combiner.txt", bytes: combiner),
        ]
        let targets = try writer.targets(version: version, files: files, now: now)
        let snapshot = try writer.snapshot(version: version, targets: targets, now: now)
        let timestamp = try writer.timestamp(
            version: version, snapshot: snapshot, position: position, rollout: rollout, now: now)
        var served: [String: [UInt8]] = [:]
        for file in roots + [targets, snapshot, timestamp] { served["metadata/\(file.name)"] = file.bytes }
        for (file, bytes) in zip(files, [manifest, combiner]) { served["targets/\(file.consistentPath)"] = bytes }
        return served
    }

    /// The metadata of such a publication, as a node keeps it.
    func trusted(_ files: [String: [UInt8]]) -> TrustedMetadata {
        TrustedMetadata(
            roots: [newestRoot], timestamp: files["metadata/timestamp.json"],
            snapshot: files["metadata/\(version).snapshot.json"], targets: files["metadata/\(version).targets.json"])
    }
}

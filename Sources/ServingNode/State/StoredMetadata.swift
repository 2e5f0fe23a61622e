import EnsembleModel
import Foundation
import Trust

/// Signed metadata as it is kept: the files byte for byte, of the roots the newest one only.
struct StoredMetadata: Hashable, Sendable, Codable {
    var root: Data
    var timestamp: Data?
    var snapshot: Data?
    var targets: Data?

    /// - Throws: ``NodeError`` with code `untrusted` when there is no root.
    init(_ trusted: TrustedMetadata) throws(NodeError) {
        guard let root = trusted.roots.last else { throw NodeError(.untrusted, "there is no root to trust") }
        self.root = Data(root)
        timestamp = trusted.timestamp.map { Data($0) }
        snapshot = trusted.snapshot.map { Data($0) }
        targets = trusted.targets.map { Data($0) }
    }

    /// What a cycle starts from, or a slot is verified by.
    var trusted: TrustedMetadata {
        TrustedMetadata(
            roots: [[UInt8](root)], timestamp: timestamp.map { [UInt8]($0) }, snapshot: snapshot.map { [UInt8]($0) },
            targets: targets.map { [UInt8]($0) })
    }
}

/// A manifest with the signed metadata that vouches for it.
struct Slot: Sendable {
    let metadata: StoredMetadata
    let document: ManifestDocument

    private struct File: Codable {
        var metadata: StoredMetadata
        var manifest: Data
    }

    init(metadata: StoredMetadata, document: ManifestDocument) {
        self.metadata = metadata
        self.document = document
    }

    /// Reads a slot's file and verifies all of it without a registry; expired it may be.
    ///
    /// - Throws: ``NodeError``; a ``TrustError`` is its cause.
    init(bytes: [UInt8], ensemble: String, limits: NodeLimits, now: Date) throws(NodeError) {
        guard let file = try? JSONDecoder().decode(File.self, from: Data(bytes)) else {
            throw NodeError(
                .damagedState,
                "the slot holds no signed metadata (an earlier version of this program wrote it): it counts as empty")
        }
        metadata = file.metadata
        document = try ManifestDocument(bytes: [UInt8](file.manifest), ensemble: ensemble, limits: limits)
        let position: ManifestPosition?
        do throws(TrustError) {
            let verified = try VerifiedSlot(file.metadata.trusted, ensemble: ensemble, now: now)
            let combiner = document.manifest.combiner
            try verified.check(
                Targets.manifestPath(ensemble), length: document.bytes.count, sha256: document.digest)
            try verified.check(Targets.combinerPath(ensemble), length: combiner.bytes, sha256: combiner.sha256)
            position = verified.timestamp.position
        } catch {
            throw NodeError(.untrusted, "the slot's signed metadata is refused", cause: error)
        }
        try document.check(position: position)
    }

    /// What is written.
    func bytes() throws(NodeError) -> [UInt8] {
        do {
            return try [UInt8](JSONEncoder().encode(File(metadata: metadata, manifest: Data(document.bytes))))
        } catch {
            throw NodeError(.stateDirectoryUnusable, "the slot cannot be written", cause: error)
        }
    }
}

extension Targets {
    /// Where an ensemble's manifest stands among its targets.
    static func manifestPath(_ ensemble: String) -> String { "\(ensemble)/manifest.json" }
    /// Where an ensemble's combiner stands among its targets.
    static func combinerPath(_ ensemble: String) -> String { "\(ensemble)/combiner.txt" }
}

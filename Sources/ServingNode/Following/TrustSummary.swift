import EnsembleModel
import Foundation
import Trust

/// What a set of trusted metadata says.
struct TrustSummary: Hashable, Sendable {
    var versions = NodeReport.Versions()
    /// When the first of it expires; nil while it is not complete.
    var freshUntil: Date?
    /// The newest manifest's place.
    var position: ManifestPosition?
    /// The newest manifest's digest.
    var manifest: ContentDigest?

    init() {}

    /// Reads metadata that was verified before; of what no longer belongs together, the root's version remains.
    init(_ trusted: TrustedMetadata, ensemble: String, now: Date) {
        guard let slot = try? VerifiedSlot(trusted, ensemble: ensemble, now: now) else {
            versions.root = trusted.roots.last.flatMap { try? Signed<Root>(parsing: $0).content.version }
            return
        }
        versions = NodeReport.Versions(
            root: slot.root.version, targets: slot.targets.version, snapshot: slot.snapshot.version,
            timestamp: slot.timestamp.version)
        freshUntil = [slot.root.expires, slot.targets.expires, slot.snapshot.expires, slot.timestamp.expires].min()
        position = slot.timestamp.position
        manifest = slot.targets.files.first { $0.path == Targets.manifestPath(ensemble) }?.sha256
    }

    /// Whether some of it has expired.
    func isStale(now: Date) -> Bool { freshUntil.map { $0 <= now } ?? true }
}

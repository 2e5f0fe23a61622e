import EnsembleModel
import Foundation
import Logging
import Trust

/// What a node begins with, read from its disk without a registry.
struct FollowingStart: Sendable {
    let trusted: StoredMetadata
    /// What it says.
    let summary: TrustSummary
    /// What can be served at once.
    let loaded: EnsembleSlots.Loaded?
    let refused: RefusedManifest?

    /// Reads it.
    ///
    /// - Parameters:
    ///   - root: the root file that the node was installed with; it counts where nothing is trusted yet.
    ///   - pin: a sequence to stay at.
    /// - Throws: ``NodeError`` with code `invalidConfiguration` when there is no root at all.
    init(_ slots: EnsembleSlots, root: [UInt8]?, pin: Int?, now: Date, logger: Logger) throws(NodeError) {
        loaded = slots.load(pin: pin, now: now, logger: logger)
        refused = slots.loadRefused(logger: logger)
        let installed = try root.map { root throws(NodeError) in try Self.installed(root) }
        var kept = loaded?.slot.metadata
        do throws(NodeError) {
            kept = try slots.loadTrusted() ?? kept
        } catch {
            logger.error(
                "Trusted metadata is not usable; going on from \(kept == nil ? "the root file" : "the slot served")",
                metadata: ["code": "\(error.code.rawValue)", "reason": "\(error)"])
        }
        guard let trusted = kept ?? installed else {
            throw NodeError(
                .invalidConfiguration,
                "the node trusts no registry yet: give the registry's root file with --root FILE (a registry that made "
                    + "its own keys has it as keys/root.json in its data directory)")
        }
        self.trusted = trusted
        summary = TrustSummary(trusted.trusted, ensemble: slots.ensemble, now: now)
        if let installed { Self.compare(installed, trusted, logger: logger) }
        if let loaded {
            let manifest = loaded.slot.document
            logger.notice(
                "Serving the last good manifest",
                metadata: ["manifest": "\(manifest.position)", "sha256": "\(manifest.digest)"])
            if let pin, manifest.manifest.sequence != pin {
                logger.error(
                    "The pinned manifest is neither the current one nor the previous; following on",
                    metadata: ["pin": "\(pin)"])
            }
        } else {
            logger.notice("Nothing to serve yet")
        }
    }

    private static func installed(_ root: [UInt8]) throws(NodeError) -> StoredMetadata {
        let trusted = TrustedMetadata(roots: [root])
        do throws(TrustError) {
            _ = try UpdateCycle(trusted: trusted, ensemble: nil)
        } catch {
            throw NodeError(.invalidConfiguration, "the root file is not one: \(error.message)", cause: error)
        }
        return try StoredMetadata(trusted)
    }

    /// The root followed since goes before the one installed, but both should be of one registry.
    private static func compare(_ installed: StoredMetadata, _ trusted: StoredMetadata, logger: Logger) {
        let roots = [installed, trusted].compactMap { try? Signed<Root>(parsing: [UInt8]($0.root)).content.version }
        guard roots.count == 2, roots[0] == roots[1], installed.root != trusted.root else { return }
        logger.error(
            "The root file is another registry's; what was followed before counts: choose a new state directory",
            metadata: ["version": "\(roots[0])"])
    }
}

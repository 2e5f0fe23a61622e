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
    ///   - root: reads the root file that the node was installed with, if there is one; it counts where nothing is
    ///     trusted yet.
    ///   - pin: a sequence to stay at.
    /// - Throws: ``NodeError`` with code `invalidConfiguration` when there is no root at all.
    init(
        _ slots: EnsembleSlots, root: () throws(NodeError) -> [UInt8]?, pin: Int?, now: Date, logger: Logger
    ) throws(NodeError) {
        loaded = slots.load(pin: pin, now: now, logger: logger)
        refused = slots.loadRefused(logger: logger)
        var kept = loaded?.slot.metadata
        do throws(NodeError) {
            kept = try slots.loadTrusted() ?? kept
        } catch {
            logger.error(
                "Trusted metadata is not usable; going on from \(kept == nil ? "the root file" : "the slot served")",
                metadata: ["code": "\(error.code.rawValue)", "reason": "\(error)"])
        }
        if let kept {
            trusted = kept
            Self.compare(kept, root, logger: logger)
        } else if let file = try root() {
            trusted = try Self.installed(file)
        } else {
            throw NodeError(
                .invalidConfiguration,
                "the node trusts no registry yet: give the registry's root file with --root FILE (a registry that made "
                    + "its own keys has it as keys/root.json in its data directory)")
        }
        summary = TrustSummary(trusted.trusted, ensemble: slots.ensemble, now: now)
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

    /// The root followed since goes before the one installed; but they should be of one registry.
    private static func compare(_ kept: StoredMetadata, _ root: () throws(NodeError) -> [UInt8]?, logger: Logger) {
        do {
            guard let file = try root() else { return }
            let installed = try Self.installed(file)
            let versions = try [installed, kept].map { try Signed<Root>(parsing: [UInt8]($0.root)).content.version }
            guard versions[0] == versions[1], installed.root != kept.root else { return }
            logger.error(
                "The root file is another registry's; what was followed before counts: choose a new state directory",
                metadata: ["version": "\(versions[0])"])
        } catch {
            logger.warning(
                "The root file is not usable; what was followed before counts", metadata: ["reason": "\(error)"])
        }
    }
}

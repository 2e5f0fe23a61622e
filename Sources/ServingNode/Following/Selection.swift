import EnsembleModel
import Trust

/// What a node does about the manifest that verified metadata names, before anything of it is fetched.
struct Selection: Sendable {
    enum Decision: Hashable, Sendable {
        /// It is to be fetched and served.
        case take
        /// It is served.
        case running
        /// It was refused before; it is not fetched again.
        case refused(RefusedManifest)
        /// The node was told to stay at what it serves.
        case pinned
        /// It is rolled out in stages, and this node is not among the first.
        case notYet
    }

    let ensemble: String
    let node: String
    let pin: Int?
    let served: ManifestDocument?
    /// What was trusted before.
    let known: TrustSummary
    let refused: RefusedManifest?

    /// Targets that need no download.
    var held: Set<ContentDigest> {
        served.map { [$0.digest, $0.manifest.combiner.sha256] } ?? []
    }

    /// The manifest's file.
    ///
    /// - Throws: ``NodeError`` with code `invalidManifest` when there is none.
    func manifest(_ targets: Targets) throws(NodeError) -> TargetFile {
        guard let file = targets.files.first(where: { $0.path == Targets.manifestPath(ensemble) }) else {
            throw NodeError(.invalidManifest, "the signed targets have no \(Targets.manifestPath(ensemble))")
        }
        return file
    }

    /// Decides; numbers only grow, and one number has one manifest.
    ///
    /// - Throws: ``NodeError`` with code `invalidManifest`, `rollback` or `equivocation`.
    func decision(timestamp: Timestamp, targets: Targets) throws(NodeError) -> Decision {
        let digest = try manifest(targets).sha256
        guard let position = timestamp.position else {
            throw NodeError(.invalidManifest, "the signed timestamp does not say which manifest is the newest")
        }
        if let refused, refused.digest == digest { return .refused(refused) }
        let trusted = known.position.flatMap { position in known.manifest.map { (position, $0) } }
        let before = [trusted, served.map { ($0.position, $0.digest) }].compactMap { $0 }
        for (earlier, manifest) in before {
            guard position >= earlier else {
                throw NodeError(
                    .rollback, "the registry shows manifest \(position), but \(earlier) is known: ask its operator")
            }
            guard (position == earlier) == (digest == manifest) else {
                throw NodeError(
                    .equivocation,
                    "the registry shows manifest \(position) as \(digest), but \(earlier) is known to be "
                        + "\(manifest): ask its operator")
            }
        }
        guard let served, served.digest != digest else { return served == nil ? .take : .running }
        if let pin, served.manifest.sequence == pin { return .pinned }
        return Rollout.includes(node: node, sequence: position.sequence, share: timestamp.rollout) ? .take : .notYet
    }
}

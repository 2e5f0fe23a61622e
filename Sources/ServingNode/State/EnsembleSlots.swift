import EnsembleModel
import Foundation
import Logging

/// The last two good states of one ensemble on disk.
///
/// The slots `current` and `previous` hold a line with a manifest's digest, then the manifest byte for byte as
/// published: a manifest that a bad disk changed without making it invalid would look like the registry's equivocation
/// later. `SHA256.txt` holds a combiner, under its digest, so that a slot is replaced whole by renaming its one small
/// file. A crash between any two steps leaves at worst files that no slot refers to.
struct EnsembleSlots: Sendable {
    private let ensemble: String
    private let directory: URL
    private let limits: NodeLimits

    /// Uses a directory, which is made if need be.
    init(ensemble: String, directory: URL, limits: NodeLimits) throws(NodeError) {
        try DurableFile.makeDirectory(directory)
        self.ensemble = ensemble
        self.directory = directory
        self.limits = limits
    }

    private var current: URL { directory.appendingPathComponent("current") }
    private var previous: URL { directory.appendingPathComponent("previous") }
    private func file(_ combiner: ContentDigest) -> URL { directory.appendingPathComponent("\(combiner.hex).txt") }

    /// The newest slot whose every digest is right, or nil when there is none.
    func load(logger: Logger) -> LoadedEnsemble? {
        for slot in [current, previous] {
            do {
                if let loaded = try load(slot) { return loaded }
            } catch {
                logger.error(
                    "Slot is not usable",
                    metadata: [
                        "slot": "\(slot.lastPathComponent)", "code": "\(error.code.rawValue)", "reason": "\(error)",
                    ])
            }
        }
        return nil
    }

    private func load(_ slot: URL) throws(NodeError) -> LoadedEnsemble? {
        guard let content = try DurableFile.read(slot) else { return nil }
        let bytes = Array(content.dropFirst(65))
        guard content.starts(with: Self.heading(.of(bytes))) else {
            throw NodeError(.invalidManifest, "the manifest does not have the digest that stands before it")
        }
        let document = try ManifestDocument(bytes: bytes, ensemble: ensemble, limits: limits)
        let digest = document.manifest.combiner.sha256
        guard let text = try DurableFile.read(file(digest)) else {
            throw NodeError(.invalidCombiner, "the combiner \(digest) is not in the state directory")
        }
        return try LoadedEnsemble(document, combinerText: text, limits: limits)
    }

    /// What a slot holds.
    static func content(_ document: ManifestDocument) -> [UInt8] { heading(document.digest) + document.bytes }

    private static func heading(_ digest: ContentDigest) -> [UInt8] { Array("\(digest)\n".utf8) }

    /// A combiner that is still here from before; a rollback needs no download.
    func combiner(_ digest: ContentDigest) -> [UInt8]? {
        guard let text = try? DurableFile.read(file(digest)), ContentDigest.of(text) == digest else { return nil }
        return text
    }

    /// Makes a state the current one and the one served until now the previous one.
    func save(_ new: ManifestDocument, combinerText: [UInt8], replacing served: ManifestDocument?) throws(NodeError) {
        let digest = new.manifest.combiner.sha256
        if combiner(digest) == nil { try DurableFile.write(combinerText, to: file(digest)) }
        // The bytes served, not those of the current slot: that may be the broken one that was passed over at boot.
        if let served { try DurableFile.write(Self.content(served), to: previous) }
        try DurableFile.write(Self.content(new), to: current)
        let kept = [current, previous, file(digest)] + (served.map { [file($0.manifest.combiner.sha256)] } ?? [])
        prune(keeping: Set(kept.map(\.lastPathComponent)))
    }

    /// Removes combiners that no slot refers to and files that a crash left unfinished; what stays does no harm.
    private func prune(keeping kept: Set<String>) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []
        for name in names
        where !kept.contains(name) && (name.hasSuffix(".txt") || name.hasSuffix(DurableFile.unfinishedSuffix)) {
            unlink(directory.appendingPathComponent(name).path)
        }
    }
}

import EnsembleModel
import Foundation
import Logging
import Trust

/// What a node keeps of one ensemble on disk.
///
/// The slots `current` and `previous` hold a manifest, byte for byte as published, with the signed metadata that
/// vouches for it, so that each is verified on its own and without a registry. `SHA256.txt` holds a combiner, under its
/// digest, so that a slot is replaced whole by renaming its one small file. `trusted` holds the newest signed metadata
/// that was verified, written before the slot that it leads to: what is trusted is never older than what is served.
/// `refused` names a manifest that is not to be fetched again. A crash between any two steps leaves at worst files that
/// no slot refers to.
struct EnsembleSlots: Sendable {
    let ensemble: String
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
    private var trusted: URL { directory.appendingPathComponent("trusted") }
    private var refused: URL { directory.appendingPathComponent("refused") }
    private func file(_ combiner: ContentDigest) -> URL { directory.appendingPathComponent("\(combiner.hex).txt") }

    // MARK: Slots

    /// A slot whose manifest can be served.
    struct Loaded: Sendable {
        let slot: Slot
        let ensemble: LoadedEnsemble
    }

    /// The newest slot that verifies, or nil when there is none.
    ///
    /// - Parameter pin: a sequence whose slot goes before the newer one.
    func load(pin: Int? = nil, now: Date, logger: Logger) -> Loaded? {
        let newest = usable(current, now: now, logger: logger)
        if let newest, pin == nil || newest.slot.document.manifest.sequence == pin { return newest }
        let older = usable(previous, now: now, logger: logger)
        if let older, newest == nil || older.slot.document.manifest.sequence == pin { return older }
        return newest
    }

    private func usable(_ slot: URL, now: Date, logger: Logger) -> Loaded? {
        do throws(NodeError) {
            guard let bytes = try DurableFile.readSealed(slot) else { return nil }
            let slot = try Slot(bytes: bytes, ensemble: ensemble, limits: limits, now: now)
            let digest = slot.document.manifest.combiner.sha256
            guard let text = try DurableFile.read(file(digest)) else {
                throw NodeError(.invalidCombiner, "the combiner \(digest) is not in the state directory")
            }
            return Loaded(
                slot: slot, ensemble: try LoadedEnsemble(slot.document, combinerText: text, limits: limits))
        } catch {
            logger.error(
                "Slot is not usable",
                metadata: [
                    "slot": "\(slot.lastPathComponent)", "code": "\(error.code.rawValue)", "reason": "\(error)",
                ])
            return nil
        }
    }

    /// Makes a slot the current one and the one served until now the previous one. The combiner is there already.
    func save(_ new: Slot, replacing served: Slot?) throws(NodeError) {
        // What is served, not the current slot's file: that may be the broken one that was passed over at boot.
        if let served { try DurableFile.writeSealed(served.bytes(), to: previous) }
        try DurableFile.writeSealed(new.bytes(), to: current)
        prune(keeping: [new, served])
    }

    // MARK: Combiners

    /// A combiner that is still here from before; a rollback needs no download.
    func combiner(_ digest: ContentDigest) -> [UInt8]? {
        guard let text = try? DurableFile.read(file(digest)), ContentDigest.of(text) == digest else { return nil }
        return text
    }

    /// Where a combiner is downloaded to.
    func unfinishedCombiner(_ digest: ContentDigest) throws(NodeError) -> UnfinishedFile {
        try UnfinishedFile(for: file(digest))
    }

    /// Removes combiners that none of these slots refers to, and files that a crash left unfinished; what stays does no
    /// harm.
    func prune(keeping slots: [Slot?]) {
        let kept = Set(slots.compactMap { $0.map { file($0.document.manifest.combiner.sha256).lastPathComponent } })
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []
        for name in names
        where !kept.contains(name) && (name.hasSuffix(".txt") || name.hasSuffix(DurableFile.unfinishedSuffix)) {
            unlink(directory.appendingPathComponent(name).path)
        }
    }

    // MARK: Trust

    /// The newest metadata that was verified, or nil where there is none.
    ///
    /// - Throws: ``NodeError`` when it cannot be read, or its root does not verify.
    func loadTrusted() throws(NodeError) -> StoredMetadata? {
        guard let bytes = try DurableFile.readSealed(trusted) else { return nil }
        do {
            let stored = try JSONDecoder().decode(StoredMetadata.self, from: Data(bytes))
            _ = try UpdateCycle(trusted: stored.trusted, ensemble: ensemble)
            return stored
        } catch {
            throw NodeError(.damagedState, "\(trusted.path) cannot be used", cause: error)
        }
    }

    /// Keeps verified metadata.
    func save(_ metadata: StoredMetadata) throws(NodeError) { try write(metadata, to: trusted) }

    /// The manifest refused last, if this version of the program refused it: another may understand it.
    func loadRefused(logger: Logger) -> RefusedManifest? {
        do {
            guard let bytes = try DurableFile.readSealed(refused) else { return nil }
            let manifest = try JSONDecoder().decode(RefusedManifest.self, from: Data(bytes))
            return manifest.program == ServingNode.version ? manifest : nil
        } catch {
            logger.warning("Refusal is not readable", metadata: ["reason": "\(error)"])
            return nil
        }
    }

    /// Remembers that a manifest was refused.
    func save(_ manifest: RefusedManifest) throws(NodeError) { try write(manifest, to: refused) }

    private func write(_ value: some Encodable, to file: URL) throws(NodeError) {
        let bytes: [UInt8]
        do {
            bytes = try [UInt8](JSONEncoder().encode(value))
        } catch {
            throw NodeError(.stateDirectoryUnusable, "\(file.path) cannot be written", cause: error)
        }
        try DurableFile.writeSealed(bytes, to: file)
    }
}

/// A manifest that is not fetched again until the registry publishes another, or the node is updated.
struct RefusedManifest: Hashable, Sendable, Codable {
    let digest: ContentDigest
    /// Version of the program that refused it.
    let program: String
    let refusal: NodeReport.Refusal
}

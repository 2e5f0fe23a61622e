import EnsembleModel
import Forest
import Foundation
import Trust

/// A manifest as published, byte for byte, whose every statement about itself has been checked.
struct ManifestDocument: Sendable {
    /// The only layout this node reads.
    static let schema = 1
    /// The only kind of combiner this node reads.
    static let combinerFormat = "lightgbm-text-v4"

    let bytes: [UInt8]
    /// SHA-256 of ``bytes``.
    let digest: ContentDigest
    let manifest: Manifest

    /// Reads a manifest strictly: bytes that are not the canonical form of what they say are refused.
    ///
    /// - Throws: ``NodeError`` with code `invalidManifest`.
    init(bytes: [UInt8], ensemble: String, limits: NodeLimits) throws(NodeError) {
        struct Layout: Decodable {
            var schema: Int
            var columns: String?
        }
        guard bytes.count <= limits.manifestBytes else {
            throw Self.invalid("it has \(bytes.count) bytes; the limit is \(limits.manifestBytes)")
        }
        do {
            let layout = try JSONDecoder().decode(Layout.self, from: Data(bytes))
            guard layout.schema == Self.schema else {
                throw Self.invalid("it is of schema \(layout.schema); this node reads \(Self.schema): update the node")
            }
            if let columns = layout.columns, Policy.Columns(rawValue: columns) == nil {
                let known = Policy.Columns.allCases.map(\.rawValue).joined(separator: ", ")
                throw Self.invalid(
                    "its columns are '\(columns.prefix(40))'; this node makes \(known): update the node")
            }
            manifest = try JSONDecoder().decode(Manifest.self, from: Data(bytes))
            guard try manifest.canonicalBytes() == bytes else { throw Self.invalid("it is not in canonical form") }
            let content = try Manifest.contentID(
                ensemble: manifest.ensemble, classes: manifest.classes, members: manifest.members,
                combiner: manifest.combiner, columns: manifest.columns)
            guard content == manifest.contentID else { throw Self.invalid("its content_id is not that of its content") }
        } catch let error as NodeError {
            throw error
        } catch {
            throw Self.invalid("it cannot be read", cause: error)
        }
        self.bytes = bytes
        digest = .of(bytes)
        try checkContent(ensemble: ensemble, limits: limits)
    }

    private func checkContent(ensemble: String, limits: NodeLimits) throws(NodeError) {
        guard manifest.ensemble == ensemble else { throw Self.invalid("it is the manifest of '\(manifest.ensemble)'") }
        guard manifest.generation >= 1, manifest.sequence >= 1 else {
            throw Self.invalid("generation and sequence begin with 1")
        }
        guard manifest.classes.count >= 2, Set(manifest.classes).count == manifest.classes.count else {
            throw Self.invalid("it needs two classes or more, each once")
        }
        guard (1...limits.members).contains(manifest.members.count) else {
            throw Self.invalid("it has \(manifest.members.count) members; 1 to \(limits.members) are read")
        }
        do {
            let ids = try manifest.members.map { try ModelVersionID(name: $0.model, version: $0.version) }
            guard Set(ids).count == ids.count else { throw Self.invalid("a member is named twice") }
        } catch let error as NodeError {
            throw error
        } catch {
            throw Self.invalid("a member has no proper name", cause: error)
        }
        guard manifest.combiner.format == Self.combinerFormat else {
            throw Self.invalid(
                "its combiner is a '\(manifest.combiner.format.prefix(40))'; \(Self.combinerFormat) is read")
        }
        guard (1...limits.forest.bytes).contains(manifest.combiner.bytes) else {
            throw Self.invalid(
                "its combiner has \(manifest.combiner.bytes) bytes; 1 to \(limits.forest.bytes) are read")
        }
    }

    /// The manifest's place among those of its ensemble.
    var position: ManifestPosition { ManifestPosition(generation: manifest.generation, sequence: manifest.sequence) }

    /// Makes sure that the manifest is the one whose place was signed.
    ///
    /// - Throws: ``NodeError`` with code `invalidManifest`.
    func check(position signed: ManifestPosition?) throws(NodeError) {
        guard signed == position else {
            throw Self.invalid(
                "it is manifest \(position); the signed timestamp speaks of \(signed?.description ?? "none")")
        }
    }

    /// Refuses what does not come after the manifest served: numbers only grow, and history does not fork.
    ///
    /// - Throws: ``NodeError`` with code `rollback` or `equivocation`.
    func checkFollows(_ served: ManifestDocument) throws(NodeError) {
        let (new, old) = (position, served.position)
        if new == old {
            guard digest == served.digest else {
                throw NodeError(
                    .equivocation, "the registry shows another manifest \(new) than the one served: ask its operator")
            }
        } else if new < old {
            throw NodeError(
                .rollback, "manifest \(new) is older than \(old), which is served: ask the registry's operator")
        } else if new.generation == old.generation, new.sequence == old.sequence + 1,
            manifest.previousSHA256 != served.digest
        {
            throw NodeError(
                .equivocation, "manifest \(new) does not continue the \(old) served: ask the registry's operator")
        }
    }

    private static func invalid(_ reason: String, cause: (any Error)? = nil) -> NodeError {
        NodeError(.invalidManifest, "the manifest is refused: \(reason)", cause: cause)
    }
}

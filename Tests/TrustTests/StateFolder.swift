import Foundation
import Trust

/// A state of a registry on disk: `metadata/` and `targets/`.
struct StateFolder {
    var url: URL

    func metadata(_ role: MetadataRole, _ version: Int?) -> UpdateCycle.Answer {
        file("metadata/" + role.fileName(version: version ?? 0))
    }

    func target(_ file: TargetFile) -> UpdateCycle.Answer { self.file("targets/" + file.consistentPath) }

    /// The outcome of a cycle against it.
    func follow(from trusted: TrustedMetadata, at now: Date) throws -> Followed {
        var cycle = try UpdateCycle(trusted: trusted, ensemble: "esci-us")
        return cycle.run(at: now, fetch: metadata, target: target)
    }

    /// Writes what a release serves.
    func write(_ release: Release) throws {
        let targets = try Signed<Targets>(parsing: release.targets).content
        let snapshot = try Signed<Snapshot>(parsing: release.snapshot).content
        for root in release.roots { try put(root.bytes, "metadata/\(root.name)") }
        try put(release.timestamp, "metadata/timestamp.json")
        try put(release.snapshot, "metadata/\(snapshot.version).snapshot.json")
        try put(release.targets, "metadata/\(targets.version).targets.json")
        for file in targets.files { try put(release.files[file.path] ?? [], "targets/" + file.consistentPath) }
    }

    private func put(_ bytes: [UInt8], _ path: String) throws {
        let file = url.appendingPathComponent(path)
        try FileManager.default.createDirectory(
            at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: file)
    }

    private func file(_ path: String) -> UpdateCycle.Answer {
        (try? Data(contentsOf: url.appendingPathComponent(path))).map { .bytes(Array($0)) } ?? .notFound
    }
}

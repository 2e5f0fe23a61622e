import EnsembleModel
import Foundation
import Testing
import Trust

@Suite("a manifest that not every node takes at once")
struct RolloutTests {
    @Test("targets that are not needed are left out, and what names them is trusted")
    func notNeeded() throws {
        let release = try Repository().release()
        var cycle = try UpdateCycle(trusted: release.installed, ensemble: "esci-us")
        var actions = cycle.start(now: Repository.start)
        while case .fetch(let role, _, _, _)? = actions.last {
            if role == .timestamp { #expect(cycle.timestamp == nil) }
            let bytes: [MetadataRole: [UInt8]] = [
                .timestamp: release.timestamp, .snapshot: release.snapshot, .targets: release.targets,
            ]
            actions = cycle.receive(bytes[role].map { .bytes($0) } ?? .notFound, now: Repository.start)
        }
        #expect(cycle.timestamp?.position == ManifestPosition(generation: 1, sequence: 1))
        #expect(cycle.targets?.files.count == 2)
        #expect(cycle.receive(.notNeeded, target: "esci-us/manifest.json") == [])
        let last = cycle.receive(.notNeeded, target: "esci-us/combiner.txt")
        guard case .finish(.success(let update))? = last.last else {
            Issue.record("it did not finish: \(last)")
            return
        }
        #expect(update.trusted.targets == release.targets)
    }

    @Test("metadata is always needed")
    func metadataIsNeeded() throws {
        var cycle = try UpdateCycle(trusted: Repository().release().installed, ensemble: "esci-us")
        _ = cycle.start(now: Repository.start)
        #expect(cycle.receive(.notNeeded, now: Repository.start).failure == .unexpected)
    }

    @Test("the timestamp says how far a manifest is rolled out", arguments: [nil, 0, 100, 10_000])
    func rollout(share: Int?) throws {
        let writer = try Repository().writer()
        let targets = try writer.targets(version: 1, files: [], now: Repository.start)
        let snapshot = try writer.snapshot(version: 1, targets: targets, now: Repository.start)
        let file = try writer.timestamp(
            version: 1, snapshot: snapshot, position: ManifestPosition(generation: 1, sequence: 2), rollout: share,
            now: Repository.start)
        #expect(try Signed<Timestamp>(parsing: file.bytes).content.rollout == share)
        let text = String(decoding: file.bytes, as: UTF8.self)
        #expect(text.contains("\"rollout\"") == (share != nil))
        for bad in ["10001", "-1", "\"1\"", "null"] where share == 100 {
            let changed = text.replacing("\"rollout\":100", with: "\"rollout\":\(bad)")
            #expect(throws: TrustError.self) { try Signed<Timestamp>(parsing: Array(changed.utf8)) }
        }
    }
}

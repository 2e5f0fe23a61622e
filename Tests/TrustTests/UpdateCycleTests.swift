import EnsembleModel
import Foundation
import Testing

@testable import Trust

@Suite("The client workflow")
struct UpdateCycleTests {
    @Test("a node with the first root takes everything, and stores it together in the end")
    func firstUpdate() throws {
        let followed = try Repository().release().follow()
        let update = try followed.result.get()
        #expect(update.isNew)
        #expect(update.timestamp.position == ManifestPosition(generation: 1, sequence: 1))
        #expect(update.targets.files.map(\.path) == ["esci-us/combiner.txt", "esci-us/manifest.json"])
        #expect(followed.fetched == [.root, .timestamp, .snapshot, .targets])
        #expect(followed.stored == [[.timestamp, .snapshot, .targets]])
        #expect(followed.trusted == update.trusted)
        guard case .store = followed.actions.dropLast().last else {
            Issue.record("stored before the end")
            return
        }
    }

    @Test("lengths and digests of what comes next are asked for, and versions in names")
    func requests() throws {
        let release = try Repository().release()
        let actions = try release.follow().actions
        let limits = TrustLimits()
        #expect(actions[0] == .fetch(.root, version: 2, maximumBytes: limits.rootBytes, sha256: nil))
        #expect(actions[1] == .fetch(.timestamp, version: nil, maximumBytes: limits.timestampBytes, sha256: nil))
        #expect(
            actions[2]
                == .fetch(
                    .snapshot, version: 1, maximumBytes: release.snapshot.count, sha256: .of(release.snapshot)))
        #expect(
            actions[3]
                == .fetch(.targets, version: 1, maximumBytes: release.targets.count, sha256: .of(release.targets)))
    }

    @Test("an update with nothing new fetches a root and a timestamp, and stores nothing")
    func nothingNew() throws {
        let release = try Repository().release()
        let first = try release.follow().result.get()
        let held = Set(first.targets.files.map(\.sha256))
        let again = try release.follow(from: first.trusted, held: held)
        #expect(try again.result.get().isNew == false)
        #expect(again.fetched == [.root, .timestamp])
        #expect(again.stored == [])
        #expect(try again.result.get().trusted == first.trusted)
    }

    @Test("a renewal is stored, but is nothing new")
    func renewal() throws {
        let repository = try Repository()
        let first = try repository.release().follow().result.get()
        let renewed = try repository.release(2, sequence: 1).follow(from: first.trusted)
        #expect(try renewed.result.get().isNew == false)
        #expect(renewed.stored == [[.timestamp, .snapshot, .targets]])
    }

    @Test("a renewed timestamp alone is stored alone")
    func renewedTimestamp() throws {
        let repository = try Repository()
        var release = try repository.release()
        let first = try release.follow().result.get()
        release.timestamp = try repository.writer().timestamp(
            version: 2, snapshot: MetadataFile(role: .snapshot, version: 1, bytes: release.snapshot),
            position: ManifestPosition(generation: 1, sequence: 1), now: Repository.start + 60
        ).bytes
        let again = try release.follow(from: first.trusted, held: Set(first.targets.files.map(\.sha256)))
        #expect(again.fetched == [.root, .timestamp])
        #expect(again.stored == [[.timestamp]])
        #expect(again.trusted.timestamp == release.timestamp)
    }

    @Test("targets are downloaded but for those held; any order, measured elsewhere or not")
    func downloads() throws {
        let repository = try Repository()
        let release = try repository.release()
        let held = ContentDigest.of(repository.files["esci-us/combiner.txt"] ?? [])
        let followed = try release.follow(held: [held])
        let wanted = followed.actions.compactMap { if case .download(let files) = $0 { files } else { nil } }
        #expect(wanted.flatMap { $0.map(\.path) } == ["esci-us/manifest.json"])

        var cycle = try UpdateCycle(trusted: release.installed, ensemble: "esci-us")
        let measured = cycle.run(at: Repository.start) { role, _ in
            switch role {
            case .root: .notFound
            case .timestamp: .bytes(release.timestamp)
            case .snapshot: .bytes(release.snapshot)
            case .targets: .bytes(release.targets)
            }
        } target: {
            .measured(length: $0.length, sha256: $0.sha256)
        }
        #expect(measured.error == nil)
    }

    @Test("a failed download stores nothing of the release")
    func failedDownloads() throws {
        let release = try Repository().release()
        let cases: [([UInt8]?, TrustError.Code)] = [
            (nil, .notFound), (Array("tree".utf8), .lengthMismatch), (Array("eert\n".utf8), .hashMismatch),
            (Array("tree\n\n".utf8), .lengthMismatch),
        ]
        for (bytes, code) in cases {
            let followed = try release.with(\.files["esci-us/combiner.txt"], bytes).follow()
            #expect(followed.error?.code == code)
            #expect(followed.stored == [])
            #expect(followed.trusted == release.installed)
        }
    }

    @Test("an expired role is an outcome of its own, by the time of the answer", arguments: MetadataRole.allCases)
    func expiry(_ role: MetadataRole) throws {
        var repository = try Repository()
        let trusted = try repository.release().follow().trusted
        let late = Repository.start + 8 * 86_400
        var release = try repository.release(2, at: late)
        let old = try repository.release(2, at: Repository.start)
        switch role {
        case .root:
            try repository.publishRoot { $0.expires = late }
            release.roots = repository.roots
        case .timestamp: release = old
        case .snapshot:
            (release.snapshot, release.targets) = (old.snapshot, old.targets)
            release.timestamp = try repository.timestamp(of: old.snapshot, version: 2, at: late)
        case .targets:
            release = try repository.release(2, of: old.targets, at: late)
        }
        let followed = try release.follow(from: trusted, at: late)
        #expect(followed.error?.code == .expired)
        #expect(followed.error?.role == role)
        // A second before, the same is taken (the timestamp lasts 600 s only).
        let early = try release.follow(from: trusted, at: role == .timestamp ? Repository.start + 599 : late - 86_401)
        #expect(early.error == nil)
    }

    @Test("answers out of turn end the cycle")
    func outOfTurn() throws {
        let release = try Repository().release()
        func fresh() throws -> UpdateCycle { try UpdateCycle(trusted: release.installed, ensemble: nil) }
        var early = try fresh()
        #expect(early.receive(.notFound, now: Repository.start).failure == .unexpected)
        var twice = try fresh()
        _ = twice.start(now: Repository.start)
        #expect(twice.start(now: Repository.start).failure == .unexpected)
        var target = try fresh()
        _ = target.start(now: Repository.start)
        #expect(target.receive(.bytes([]), target: "x").failure == .unexpected)
        #expect(target.receive(.notFound, now: Repository.start).failure == .unexpected)
        var measured = try fresh()
        _ = measured.start(now: Repository.start)
        #expect(
            measured.receive(.measured(length: 1, sha256: .of([])), now: Repository.start).failure == .unexpected)
    }

    @Test("what cannot be fetched, and what is not there, are told apart", arguments: MetadataRole.allCases)
    func unavailable(_ role: MetadataRole) throws {
        let release = try Repository().release()
        for (answer, code) in [
            (UpdateCycle.Answer.failed("timeout"), TrustError.Code.unavailable), (.notFound, .notFound),
        ]
        where !(role == .root && code == .notFound) {
            var cycle = try UpdateCycle(trusted: release.installed, ensemble: nil)
            let followed = cycle.run(at: Repository.start) { asked, _ in
                if asked == role { return answer }
                switch asked {
                case .root: return .notFound
                case .timestamp: return .bytes(release.timestamp)
                case .snapshot: return .bytes(release.snapshot)
                case .targets: return .bytes(release.targets)
                }
            } target: { _ in
                .notFound
            }
            #expect(followed.error?.code == code)
            #expect(followed.error?.role == role)
            #expect(followed.stored == [])
        }
    }

    @Test("metadata over its limit is refused, and one that is named too long is not even fetched")
    func limits() throws {
        let release = try Repository().release()
        var limits = TrustLimits()
        limits.timestampBytes = release.timestamp.count - 1
        #expect(try release.follow(limits: limits).error?.code == .tooLarge)
        limits = TrustLimits()
        limits.snapshotBytes = release.snapshot.count - 1
        let followed = try release.follow(limits: limits)
        #expect(followed.error?.code == .tooLarge)
        #expect(followed.fetched == [.root, .timestamp])
        limits = TrustLimits()
        limits.targetBytes = 4
        #expect(try release.follow(limits: limits).error?.code == .tooLarge)
        limits = TrustLimits()
        limits.rootBytes = release.roots[0].bytes.count - 1
        #expect(throws: TrustError.self) { try release.follow(limits: limits) }
    }

    @Test("metadata of another ensemble, signed by the same keys, is refused")
    func wrongEnsemble() throws {
        var repository = try Repository()
        repository.ensemble = "esci-jp"
        let release = try repository.release()
        let followed = try release.follow(ensemble: "esci-us")
        #expect(followed.error?.code == .wrongEnsemble)
        #expect(try release.follow(ensemble: nil).error == nil)
        #expect(throws: TrustError.self) {
            try VerifiedSlot(release.follow(ensemble: nil).trusted, ensemble: "esci-us", now: Repository.start)
        }
    }
}

extension Repository {
    /// A timestamp file for a snapshot.
    func timestamp(of snapshot: [UInt8], version: Int, sequence: Int = 2, at now: Date) throws -> [UInt8] {
        let content = try Signed<Snapshot>(parsing: snapshot).content
        return try writer().timestamp(
            version: version, snapshot: MetadataFile(role: .snapshot, version: content.version, bytes: snapshot),
            position: ManifestPosition(generation: 1, sequence: sequence), now: now
        ).bytes
    }

    /// A release of given targets, with a new snapshot and timestamp.
    func release(_ version: Int, of targets: [UInt8], at now: Date) throws -> Release {
        let content = try Signed<Targets>(parsing: targets).content
        let snapshot = try writer().snapshot(
            version: version, targets: MetadataFile(role: .targets, version: content.version, bytes: targets), now: now)
        return Release(
            roots: roots, timestamp: try timestamp(of: snapshot.bytes, version: version, at: now),
            snapshot: snapshot.bytes, targets: targets, files: files)
    }
}

extension [UpdateCycle.Action] {
    /// The code of the failure that these end with.
    var failure: TrustError.Code? {
        if case .finish(.failure(let error)) = last { error.code } else { nil }
    }
}

import EnsembleModel
import Foundation
import Testing

@testable import Trust

@Suite("Attacks on a client that trusts version 2")
struct AttackTests {
    private let repository: Repository
    private let first: Release
    private let second: Release
    private let trusted: TrustedMetadata

    init() throws {
        var repository = try Repository()
        first = try repository.release(1)
        repository.files["esci-us/combiner.txt"] = Array("another tree\n".utf8)
        second = try repository.release(2)
        self.repository = repository
        trusted = try second.follow(from: first.follow().trusted).trusted
    }

    private func refuse(
        _ release: Release, _ code: TrustError.Code, _ role: MetadataRole,
        _ location: SourceLocation = #_sourceLocation
    ) throws {
        let followed = try release.follow(from: trusted)
        #expect(followed.error?.code == code, sourceLocation: location)
        #expect(followed.error?.role == role, sourceLocation: location)
        #expect(followed.trusted == trusted, sourceLocation: location)
        #expect(followed.stored == [], sourceLocation: location)
    }

    @Test("rollback of the timestamp, of the snapshot it names, of the manifest's place")
    func rollback() throws {
        try refuse(first, .rollback, .timestamp)
        let time = Repository.start
        try refuse(
            second.with(\.timestamp, try repository.timestamp(of: first.snapshot, version: 3, at: time)), .rollback,
            .timestamp)
        try refuse(
            second.with(\.timestamp, try repository.timestamp(of: second.snapshot, version: 3, sequence: 1, at: time)),
            .rollback, .timestamp)
        // Targets of version 1 in a newer snapshot.
        try refuse(try repository.release(3, of: first.targets, at: time), .rollback, .snapshot)
        // A higher generation starts its sequence again.
        let recovered = try repository.release(3, generation: 2, sequence: 1)
        #expect(try recovered.follow(from: trusted).error == nil)
    }

    @Test("a snapshot that no longer lists metadata that was listed")
    func removal() throws {
        var content = try Signed<Snapshot>(parsing: second.snapshot).content
        content.version = 3
        content.meta["more.json"] = FileReference(version: 1, length: nil, sha256: nil)
        let key = try #require(repository.keys[.snapshot]?.first)
        let wide = try sign(content, with: key)
        let third = second.with(\.snapshot, wide)
            .with(\.timestamp, try repository.timestamp(of: wide, version: 3, at: Repository.start))
        let trusted = try third.follow(from: trusted).trusted
        let fourth = try repository.release(4)
        #expect(try fourth.follow(from: trusted).error?.code == .rollback)
        #expect(try fourth.follow(from: self.trusted).error == nil)
    }

    @Test("other content under a trusted version")
    func equivocation() throws {
        let time = Repository.start
        let later = try repository.timestamp(of: second.snapshot, version: 2, at: time + 1)
        try refuse(second.with(\.timestamp, later), .equivocation, .timestamp)
        let snapshot = try repository.release(2, at: time + 1).snapshot
        try refuse(
            second.with(\.snapshot, snapshot)
                .with(\.timestamp, try repository.timestamp(of: snapshot, version: 3, at: time)),
            .equivocation, .snapshot)
        let targets = try repository.release(2, at: time + 1).targets
        try refuse(try repository.release(3, of: targets, at: time), .equivocation, .targets)
    }

    @Test("snapshot and targets that are not those named")
    func mixAndMatch() throws {
        let third = try repository.release(3)
        try refuse(third.with(\.snapshot, second.snapshot), .hashMismatch, .snapshot)
        try refuse(third.with(\.targets, second.targets), .hashMismatch, .targets)
        try refuse(third.with(\.snapshot, third.snapshot + [0x20]), .lengthMismatch, .snapshot)
        try refuse(third.with(\.targets, third.targets.dropLast()), .lengthMismatch, .targets)
        // Without digests only versions tell.
        let key = try #require(repository.keys[.timestamp]?.first)
        var content = try Signed<Timestamp>(parsing: third.timestamp).content
        content.snapshot = FileReference(version: 3, length: nil, sha256: nil)
        try refuse(
            third.with(\.timestamp, try sign(content, with: key)).with(\.snapshot, second.snapshot), .mixAndMatch,
            .snapshot)
    }

    @Test(
        "a stranger's signature, and one of another role's key", arguments: [MetadataRole.timestamp, .targets, .root])
    func wrongKeys(_ other: MetadataRole) throws {
        let stranger = other == .timestamp ? SigningKey() : try #require(repository.keys[other]?.first)
        let third = try repository.release(3)
        let timestamp = try Signed<Timestamp>(parsing: third.timestamp).content
        try refuse(third.with(\.timestamp, try sign(timestamp, with: stranger)), .wrongSignature, .timestamp)
        // Under the right key's id.
        let id = try #require(repository.keys[.timestamp]?.first?.publicKey.keyID)
        try refuse(third.with(\.timestamp, try sign(timestamp, with: stranger, as: id)), .wrongSignature, .timestamp)
        // Metadata of one role in the place of another's.
        try refuse(third.with(\.timestamp, third.snapshot), .malformed, .timestamp)
    }

    @Test("endless roots end at the limit; what was verified is kept, and the next update goes on")
    func endlessRoots() throws {
        var repository = repository
        for _ in 0..<3 { try repository.publishRoot { _ in } }
        let release = try repository.release(3)
        var limits = TrustLimits()
        limits.rootRotations = 2
        let followed = try release.follow(from: trusted, limits: limits)
        #expect(followed.error?.code == .endlessRoots)
        #expect(followed.trusted.roots.count == 3)
        #expect(followed.stored == [[.root], [.root]])
        #expect(followed.discarded == [])
        #expect(try release.follow(from: followed.trusted, limits: limits).error == nil)
    }

    @Test("a new root needs enough signatures of the old root and of itself, and the next version")
    func roots() throws {
        let current = try repository.newestRoot
        let (own, new) = (try #require(repository.keys[.root]), [SigningKey(), SigningKey(), SigningKey()])
        var root = current.content.successor(now: Repository.start)
        for (old, new) in zip(own, new) { try root.rotate(old.publicKey.keyID, to: new.publicKey, in: .root) }
        func refuse(_ root: Root, signedBy keys: [SigningKey], _ code: TrustError.Code) throws {
            var signed = Signed(root)
            for key in keys { try signed.sign(with: key, as: key.publicKey.keyID) }
            let file = MetadataFile(role: .root, version: 2, bytes: signed.bytes)
            try self.refuse(second.with(\.roots, second.roots + [file]), code, .root)
        }
        try refuse(root, signedBy: own, .wrongSignature)
        try refuse(root, signedBy: new, .wrongSignature)
        try refuse(root, signedBy: Array(own.prefix(1)) + new, .wrongSignature)
        try refuse(root, signedBy: own + new.prefix(1), .wrongSignature)
        root.version = 3
        try refuse(root, signedBy: own + new, .rollback)
        root.version = 1
        try refuse(root, signedBy: own + new, .rollback)
    }

    @Test("one key under two ids counts once")
    func doubledKey() throws {
        let own = try #require(repository.keys[.root])
        var root = try repository.newestRoot.content
        root.keys["alias"] = own[0].publicKey
        root.roles[.root]?.keyIDs.append("alias")
        var signed = Signed(root)
        try signed.sign(with: own[0], as: own[0].publicKey.keyID)
        try signed.sign(with: own[0], as: "alias")
        let error = #expect(throws: TrustError.self) { try root.verify(signed) }
        #expect(error?.code == .wrongSignature)
        try signed.sign(with: own[1], as: own[1].publicKey.keyID)
        try root.verify(signed)
    }

    @Test(
        "rotated timestamp or snapshot keys drop what was trusted, so that versions may start again",
        arguments: [MetadataRole.timestamp, .snapshot])
    func fastForward(_ role: MetadataRole) throws {
        // A thief of the old key has raised versions as far as they go.
        let largest = (1 << 53) - 1
        let raised = try repository.release(largest)
        let caught = try raised.follow(from: trusted).trusted
        let third = try repository.release(3)
        #expect(try third.follow(from: caught).error?.code == .rollback)
        var repository = repository
        try repository.rotate(role)
        let followed = try repository.release(3).follow(from: caught)
        #expect(followed.discarded == [[.timestamp, .snapshot]])
        // Dropped before the root that says so is stored: a crash between leaves nothing of the thief's.
        let actions = followed.actions.prefix { if case .store = $0 { false } else { true } }
        #expect(actions.contains(.discard([.timestamp, .snapshot], because: nil)))
        #expect(try followed.result.get().timestamp.version == 3)
    }

    @Test("a rotation of targets or root keys drops nothing", arguments: [MetadataRole.root, .targets])
    func otherRotations(_ role: MetadataRole) throws {
        var repository = repository
        try repository.rotate(role)
        let followed = try repository.release(3).follow(from: trusted)
        // Targets signed by the old key are no longer vouched for, and are fetched anew.
        #expect(followed.discarded == (role == .root ? [] : [[.targets]]))
        #expect(followed.error == nil)
        #expect(try repository.release(1).follow(from: trusted).error?.code == .rollback)
    }

    @Test("stored files that do not verify are dropped with their reason, and fetched again")
    func damagedStore() throws {
        var damaged = trusted
        damaged.timestamp = Array("{}".utf8)
        damaged.snapshot = first.targets
        damaged.targets = Array(second.targets.dropLast())
        let followed = try second.follow(from: damaged)
        #expect(followed.discarded == [[.timestamp], [.snapshot], [.targets]])
        #expect(try followed.result.get().trusted == trusted)
    }
}

/// A file of content signed with one key, under its own id or another.
func sign<Content: SignedContent>(_ content: Content, with key: SigningKey, as id: String? = nil) throws -> [UInt8] {
    var signed = Signed(content)
    try signed.sign(with: key, as: id ?? key.publicKey.keyID)
    return signed.bytes
}

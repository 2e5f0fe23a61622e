import Foundation
import Testing

@testable import Trust

@Suite("Root ceremonies")
struct CeremonyTests {
    private static let now = Repository.start
    private let holders = [SigningKey(), SigningKey(), SigningKey()]
    private let online = SigningKey()

    private func first(threshold: Int = 2) throws -> Root {
        var keys: [MetadataRole: [PublicKey]] = [.root: holders.map(\.publicKey)]
        for role in [MetadataRole.targets, .snapshot, .timestamp] { keys[role] = [online.publicKey] }
        return try Root.first(keys: keys, thresholds: [.root: threshold], now: Self.now)
    }

    private func complete(_ root: Root) throws -> Signed<Root> {
        var proposal = try RootProposal(first: root)
        for holder in holders { try proposal.sign(with: holder) }
        return try Signed(parsing: proposal.finished().bytes)
    }

    @Test("version 1 lasts a year, with consistent snapshots, one key in several roles")
    func initial() throws {
        let root = try first()
        #expect((root.version, root.consistentSnapshot, root.keys.count) == (1, true, 4))
        #expect(root.expires == Self.now + 365 * 86_400)
        #expect(root.roles[.root]?.threshold == 2)
    }

    @Test("holders sign one after the other, each a file of its own, in any order")
    func partialSignatures() throws {
        let root = try first()
        var proposal = try RootProposal(first: root)
        #expect(proposal.missing.map(\.count) == [2])
        #expect(proposal.missing[0].keyIDs == holders.map(\.publicKey.keyID))
        let error = #expect(throws: TrustError.self) { try proposal.finished() }
        #expect(error?.code == .missingKey)
        #expect(error?.message.contains(holders[2].publicKey.keyID) == true)
        // Two copies go to two holders.
        var (one, other) = (
            try RootProposal(parsing: proposal.bytes, replacing: nil),
            try RootProposal(parsing: proposal.bytes, replacing: nil)
        )
        try one.sign(with: holders[2])
        try other.sign(with: holders[0])
        #expect(!one.isComplete && !other.isComplete)
        try proposal.merge(one.proposed)
        try proposal.merge(one.proposed)
        #expect(proposal.missing.map(\.count) == [1])
        try proposal.merge(other.proposed)
        #expect(proposal.isComplete)
        let file = try proposal.finished()
        #expect(file.name == "1.root.json")
        _ = try UpdateCycle(trusted: TrustedMetadata(roots: [file.bytes]), ensemble: nil)
    }

    @Test("signatures of strangers, forged ones and those of another root are not taken over")
    func refusedSignatures() throws {
        var proposal = try RootProposal(first: first())
        let error = #expect(throws: TrustError.self) { try proposal.sign(with: online) }
        #expect(error?.code == .missingKey)
        var forged = proposal.proposed
        try forged.sign(with: SigningKey(), as: holders[0].publicKey.keyID)
        try forged.sign(with: SigningKey(), as: "stranger")
        try proposal.merge(forged)
        #expect(proposal.proposed.signatures == [])
        var root = try first()
        root.version = 1
        root.expires = Self.now
        #expect(throws: TrustError.self) { try proposal.merge(Signed(root)) }
    }

    @Test("a rotation of a root key needs the old holders' threshold and the new ones'")
    func rotation() throws {
        let current = try complete(first())
        let new = SigningKey()
        var root = current.content.successor(now: Self.now + 86_400)
        try root.rotate(holders[0].publicKey.keyID, to: new.publicKey, in: .root)
        #expect((root.version, root.expires) == (2, Self.now + 366 * 86_400))
        #expect(root.keys[holders[0].publicKey.keyID] == nil)
        var proposal = try RootProposal(root, replacing: current)
        try proposal.sign(with: new)
        #expect(proposal.missing.map { [$0.version, $0.count] } == [[1, 2], [2, 1]])
        try proposal.sign(with: holders[0])
        #expect(proposal.missing.map { [$0.version, $0.count] } == [[1, 1], [2, 1]])
        try proposal.sign(with: holders[1])
        #expect(proposal.isComplete)
        // The installed root leads to it.
        var cycle = try UpdateCycle(trusted: TrustedMetadata(roots: [current.bytes]), ensemble: nil)
        _ = cycle.start(now: Self.now)
        _ = cycle.receive(.bytes(try proposal.finished().bytes), now: Self.now)
        #expect(cycle.root.version == 2)
    }

    @Test("a key that serves another role too stays listed when one role loses it")
    func sharedKey() throws {
        var root = try first().successor(now: Self.now)
        let own = SigningKey()
        try root.rotate(online.publicKey.keyID, to: own.publicKey, in: .timestamp)
        #expect(root.keys[online.publicKey.keyID] != nil)
        #expect(root.roles[.timestamp]?.keyIDs == [own.publicKey.keyID])
        #expect(root.roles[.snapshot]?.keyIDs == [online.publicKey.keyID])
    }

    @Test("changes that make no sense are refused, and leave no role below its threshold")
    func refusedChanges() throws {
        let current = try complete(first())
        var root = current.content.successor(now: Self.now)
        #expect(throws: TrustError.self) { try root.add(online.publicKey, to: .timestamp) }
        #expect(throws: TrustError.self) { try root.revoke("nobody", from: .timestamp) }
        try root.revoke(online.publicKey.keyID, from: .timestamp)
        var error = #expect(throws: TrustError.self) { try RootProposal(root, replacing: current) }
        #expect(error?.code == .invalidChange)
        #expect(error?.role == .timestamp)
        error = #expect(throws: TrustError.self) { try RootProposal(current.content, replacing: current) }
        #expect(error?.code == .invalidChange)
        error = #expect(throws: TrustError.self) { try RootProposal(first: current.content.successor(now: Self.now)) }
        #expect(error?.code == .invalidChange)
        error = #expect(throws: TrustError.self) { try first(threshold: 4) }
        #expect(error?.code == .invalidChange)
        // Nothing can follow a root that is not complete itself.
        error = #expect(throws: TrustError.self) {
            try RootProposal(current.content.successor(now: Self.now), replacing: Signed(current.content))
        }
        #expect(error?.code == .wrongSignature)
    }

    @Test("the status tells who holds what, what is met and when it ends")
    func status() throws {
        let root = try first()
        let half = Self.now + 183 * 86_400
        let status = RootStatus(of: root, held: [holders[1].publicKey, online.publicKey], now: half)
        #expect(status.roles.map(\.role) == [.root, .targets, .snapshot, .timestamp])
        #expect(status.roles.map(\.isMet) == [false, true, true, true])
        #expect(status.roles[0].heldKeyIDs == [holders[1].publicKey.keyID])
        #expect((status.isExpired, status.isRenewalDue) == (false, true))
        #expect(!RootStatus(of: root, held: [], now: Self.now).isRenewalDue)
        #expect(RootStatus(of: root, held: [], now: root.expires).isExpired)
    }
}

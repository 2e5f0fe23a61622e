import EnsembleModel
import Foundation
import Testing

@testable import Trust

@Suite("The publisher's side")
struct MetadataWriterTests {
    private let start = Repository.start

    @Test("files are canonical, name each other by length and digest, and last as long as said")
    func files() throws {
        let repository = try Repository()
        let writer = try repository.writer()
        let targets = try writer.targets(version: 3, files: [.init(path: "a/b", bytes: [1])], now: start + 0.9)
        let snapshot = try writer.snapshot(version: 5, targets: targets, now: start)
        let timestamp = try writer.timestamp(
            version: 7, snapshot: snapshot, position: .init(generation: 2, sequence: 9), now: start)
        #expect([targets, snapshot, timestamp].map(\.name) == ["3.targets.json", "5.snapshot.json", "timestamp.json"])
        #expect([targets, snapshot, timestamp].map(\.version) == [3, 5, 7])
        for file in [targets, snapshot, timestamp] {
            #expect(try CanonicalValue(strictJSON: file.bytes).bytes == file.bytes)
        }
        let content = try Signed<Timestamp>(parsing: timestamp.bytes).content
        #expect(content.snapshot == snapshot.reference)
        #expect(content.expires == start + 600)
        #expect(content.ensemble == "esci-us")
        let named = try Signed<Snapshot>(parsing: snapshot.bytes).content
        #expect(named.meta == ["targets.json": targets.reference])
        #expect(named.expires == start + 7 * 86_400)
        #expect(try Signed<Targets>(parsing: targets.bytes).content.expires == start + 7 * 86_400)
        #expect(timestamp.bytes.count < 1_024, "a long poll's answer")
    }

    @Test("without a role's keys nothing is signed for it")
    func missingKeys() throws {
        let repository = try Repository()
        let online = (repository.keys[.snapshot] ?? []) + (repository.keys[.timestamp] ?? [])
        let writer = try MetadataWriter(root: repository.roots[0].bytes, keys: online, ensemble: "esci-us")
        #expect(MetadataRole.allCases.map(writer.canSign) == [false, false, true, true])
        let error = #expect(throws: TrustError.self) { try writer.targets(version: 1, files: [], now: start) }
        #expect(error?.code == .missingKey)
        #expect(error?.role == .targets)
    }

    @Test("a threshold of two online keys is met by two different keys")
    func thresholds() throws {
        var repository = try Repository()
        let second = SigningKey()
        try repository.publishRoot { root in
            try root.add(second.publicKey, to: .timestamp)
            root.roles[.timestamp]?.threshold = 2
        }
        let first = try #require(repository.keys[.timestamp]?.first)
        let twice = try MetadataWriter(root: repository.roots[1].bytes, keys: [first, first], ensemble: "e")
        #expect(!twice.canSign(.timestamp))
        repository.keys[.timestamp]?.append(second)
        #expect(try repository.writer().canSign(.timestamp))
        #expect(try repository.release().follow().error == nil)
    }

    @Test("an incomplete root is refused")
    func incompleteRoot() throws {
        var proposal = try RootProposal(first: Repository().newestRoot.content)
        try? proposal.sign(with: SigningKey())
        #expect(throws: TrustError.self) { try MetadataWriter(root: proposal.bytes, keys: [], ensemble: "e") }
    }

    @Test("paths of targets stay in their folder; the digest stands before the name")
    func paths() throws {
        for path in ["", "/a", "a/", "a//b", "../a", "a/../b", ".", "a\\b", "a\nb", "a\u{0}b"] {
            #expect(throws: TrustError.self, "\(path)") { try TargetFile(path: path, bytes: []) }
        }
        let file = try TargetFile(path: "esci-us/combiner.txt", bytes: [])
        #expect(file.consistentPath == "esci-us/\(file.sha256.hex).combiner.txt")
        #expect(try TargetFile(path: "a", bytes: []).consistentPath == "\(file.sha256.hex).a")
    }
}

@Suite("A stored slot")
struct VerifiedSlotTests {
    @Test("expiry is reported, never a reason to refuse")
    func expiry() throws {
        let repository = try Repository()
        let trusted = try repository.release().follow().trusted
        func expired(after seconds: Double) throws -> [MetadataRole] {
            try VerifiedSlot(trusted, ensemble: "esci-us", now: Repository.start + seconds).expired
        }
        #expect(try expired(after: 599) == [])
        #expect(try expired(after: 600) == [.timestamp])
        #expect(try expired(after: 8 * 86_400) == [.targets, .snapshot, .timestamp])
        #expect(try expired(after: 366 * 86_400) == MetadataRole.allCases)
    }

    @Test("its root vouches for it after the keys were rotated")
    func rotation() throws {
        var repository = try Repository()
        let slot = try repository.release().follow().trusted
        try repository.rotate(.timestamp)
        _ = try VerifiedSlot(slot, ensemble: "esci-us", now: Repository.start)
        var newer = slot
        newer.roots.append(repository.roots[1].bytes)
        let error = #expect(throws: TrustError.self) {
            try VerifiedSlot(newer, ensemble: "esci-us", now: Repository.start)
        }
        #expect(error?.code == .wrongSignature)
    }

    @Test("files that are missing, or do not belong together, are refused")
    func refusals() throws {
        let repository = try Repository()
        let trusted = try repository.release().follow().trusted
        let other = try repository.release(2).follow().trusted
        let places: [(WritableKeyPath<TrustedMetadata, [UInt8]?>, TrustError.Code)] = [
            (\.timestamp, .hashMismatch), (\.snapshot, .hashMismatch), (\.targets, .hashMismatch),
        ]
        for (place, code) in places {
            for (bytes, code) in [(nil, TrustError.Code.notFound), (other[keyPath: place], code)] {
                var broken = trusted
                broken[keyPath: place] = bytes
                let error = #expect(throws: TrustError.self) {
                    try VerifiedSlot(broken, ensemble: "esci-us", now: Repository.start)
                }
                #expect(error?.code == code)
            }
        }
    }

    @Test("targets are checked by length and digest")
    func targets() throws {
        let slot = try VerifiedSlot(Repository().release().follow().trusted, ensemble: nil, now: Repository.start)
        let path = "esci-us/combiner.txt"
        try slot.check(path, length: 5, sha256: .of("tree\n"))
        let cases: [(String, Int, ContentDigest, TrustError.Code)] = [
            (path, 4, .of("tree\n"), .lengthMismatch), (path, 5, .of("tree"), .hashMismatch),
            ("esci-us/else", 5, .of("tree\n"), .notFound),
        ]
        for (path, length, sha256, code) in cases {
            let error = #expect(throws: TrustError.self) { try slot.check(path, length: length, sha256: sha256) }
            #expect(error?.code == code)
        }
    }
}

@Suite("TUF's times")
struct UTCTimeTests {
    @Test("are those of Foundation, over many years")
    func foundation() throws {
        let formatter = ISO8601DateFormatter()
        for second in stride(from: -62_135_596_800.0, through: 253_402_300_799, by: 86_400 * 97.3 + 7) {
            let time = Date(timeIntervalSince1970: second.rounded(.down))
            let text = UTCTime.text(time)
            #expect(UTCTime.parse(text) == time)
            // Foundation changes to the Julian calendar before 1582.
            if second > -12_219_292_800 { #expect(text == formatter.string(from: time)) }
        }
    }

    @Test(
        "in other forms, or that do not exist, are refused",
        arguments: [
            "2030-01-01T00:00:00", "2030-01-01T00:00:00+00:00", "2030-01-01 00:00:00Z", "2030-02-29T00:00:00Z",
            "2030-13-01T00:00:00Z", "2030-00-01T00:00:00Z", "2030-01-00T00:00:00Z", "2030-01-32T00:00:00Z",
            "2030-01-01T24:00:00Z", "2030-01-01T00:60:00Z", "2030-01-01T00:00:60Z", "2030-1-1T00:00:00Z", "",
            "0000-01-01T00:00:00Z", "203x-01-01T00:00:00Z", "2030-01-01T00:00:00.5Z", "1900-02-29T00:00:00Z",
        ])
    func refused(_ text: String) { #expect(UTCTime.parse(text) == nil) }
}

import EnsembleModel
import Foundation
import Testing
import Trust

/// Files that python-tuf and securesystemslib wrote: `tuf_peer.py write` (two of its states) and
/// `tuf_peer.py canonical 5 60`.
enum Golden {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Golden")

    /// The metadata files with the state that each is of.
    static let files = [
        ("first", "1.root.json"), ("first", "timestamp.json"), ("first", "1.snapshot.json"),
        ("first", "1.targets.json"), ("rotated", "2.root.json"),
    ]

    static func bytes(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: folder.appendingPathComponent(name)))
    }

    static var trusted: TrustedMetadata {
        get throws {
            TrustedMetadata(
                roots: [try bytes("1.root.json")], timestamp: try bytes("timestamp.json"),
                snapshot: try bytes("1.snapshot.json"), targets: try bytes("1.targets.json"))
        }
    }

    /// Compares our canonical form with securesystemslib's, for a list of `text` and `canonical`.
    static func checkCanonicalForms(_ cases: [UInt8]) throws {
        struct Case: Decodable {
            var text: String
            var canonical: String
        }
        let cases = try JSONDecoder().decode([Case].self, from: Data(cases))
        try #require(cases.count >= 60)
        for one in cases {
            let value = try CanonicalValue(strictJSON: Array(one.text.utf8))
            #expect(value.olpcBytes == Array(one.canonical.utf8), "\(one.text)")
            #expect(try CanonicalValue(strictJSON: value.bytes) == value, "\(one.text)")
        }
    }
}

@Suite("Files that python-tuf wrote")
struct GoldenTests {
    @Test("canonical forms are securesystemslib's")
    func canonicalForms() throws { try Golden.checkCanonicalForms(Golden.bytes("canonical.json")) }

    @Test("metadata verifies, and key ids are computed as securesystemslib does")
    func metadata() throws {
        let slot = try VerifiedSlot(Golden.trusted, ensemble: "esci-us", now: InteroperabilityTests.now)
        #expect(slot.expired == [])
        #expect(slot.targets.files.map(\.length) == [16, 14])
        #expect(slot.timestamp.position == ManifestPosition(generation: 1, sequence: 1))
        for (id, key) in slot.root.keys where key.ed25519 != nil { #expect(key.keyID == id) }
        #expect(slot.root.keys.values.filter { $0.ed25519 == nil }.count == 1)
        #expect(slot.root.other["note"] == "naïve \"quoted\" \\ back\tslash 😀")
        #expect(slot.targets.other["zeta"] == [.null, .bool(true), .integer(-7), [:]])
    }

    @Test("a chain of roots verifies; without a link it does not")
    func chain() throws {
        var trusted = try Golden.trusted
        trusted.roots.append(try Golden.bytes("2.root.json"))
        let cycle = try UpdateCycle(trusted: trusted, ensemble: nil)
        #expect(cycle.root.version == 2)
        trusted.roots.swapAt(0, 1)
        #expect(throws: TrustError.self) { try UpdateCycle(trusted: trusted, ensemble: nil) }
        #expect(throws: TrustError.self) { try UpdateCycle(trusted: TrustedMetadata(roots: []), ensemble: nil) }
    }

    @Test("content that is read and written again is the same content")
    func roundTrips() throws {
        func check<Content: SignedContent>(_: Content.Type, _ name: String) throws {
            let signed = try Signed<Content>(parsing: Golden.bytes(name))
            #expect(try Content(value: signed.content.value) == signed.content)
            #expect(try Signed<Content>(parsing: signed.bytes).signatures.count == signed.signatures.count)
        }
        try check(Root.self, "1.root.json")
        try check(Timestamp.self, "timestamp.json")
        try check(Snapshot.self, "1.snapshot.json")
        try check(Targets.self, "1.targets.json")
    }
}

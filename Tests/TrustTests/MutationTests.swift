import EnsembleModel
import Foundation
import RegistryTesting
import Testing

@testable import Trust

/// Every cut and every flipped bit of metadata: what is accepted must say exactly what was signed.
@Suite("Damaged metadata")
struct MutationTests {
    private let verifier: MetadataVerifier
    private let release: Release
    private let next: MetadataFile

    init() throws {
        var repository = try Repository()
        release = try repository.release()
        verifier = try MetadataVerifier(roots: release.installed.roots, ensemble: "esci-us", limits: TrustLimits())
        try repository.rotate(.root)
        next = repository.roots[1]
    }

    /// Checks each damaged copy; `read` gives the signed bytes of what is accepted.
    private func check(_ bytes: [UInt8], signing signed: [UInt8], _ read: ([UInt8]) throws -> [UInt8]) throws {
        #expect(try read(bytes) == signed)
        var accepted = 0
        func check(_ damaged: [UInt8]) {
            do {
                let read = try read(damaged)
                if read != signed { Issue.record("accepted: \(String(decoding: damaged, as: UTF8.self))") }
                accepted += 1
            } catch let error as TrustError {
                if ![.malformed, .wrongSignature].contains(error.code) { Issue.record("\(error)") }
            } catch {
                Issue.record("\(error)")
            }
        }
        for count in bytes.indices { check(Array(bytes[..<count])) }
        #expect(accepted == 0, "a part is never the whole")
        var damaged = bytes
        for index in bytes.indices {
            for bit in 0..<8 {
                damaged[index] ^= 1 << bit
                check(damaged)
                damaged[index] ^= 1 << bit
            }
        }
        // Only what is not signed can change unnoticed: the case of digits, a signature beyond the threshold.
        #expect(accepted < bytes.count * 8 / 4, "\(accepted)")
    }

    @Test("timestamp")
    func timestamp() throws {
        try check(release.timestamp, signing: Signed<Timestamp>(parsing: release.timestamp).signedBytes) {
            try verifier.timestamp($0).signedBytes
        }
    }

    @Test("snapshot")
    func snapshot() throws {
        try check(release.snapshot, signing: Signed<Snapshot>(parsing: release.snapshot).signedBytes) {
            try verifier.snapshot($0, as: nil).signedBytes
        }
    }

    @Test("targets")
    func targets() throws {
        try check(release.targets, signing: Signed<Targets>(parsing: release.targets).signedBytes) {
            try verifier.targets($0, as: nil).signedBytes
        }
    }

    @Test("root")
    func root() throws {
        try check(next.bytes, signing: Signed<Root>(parsing: next.bytes).signedBytes) { bytes in
            var verifier = verifier
            try verifier.advance(to: bytes)
            return verifier.root.signedBytes
        }
    }

    @Test("whole releases with bytes changed at random: every role refused by name, or taken as it was signed")
    func randomReleases() throws {
        var random = SplitMix64(seed: 11)
        let original = try release.follow().result.get()
        let places: [WritableKeyPath<Release, [UInt8]>] = [\.timestamp, \.snapshot, \.targets]
        for _ in 0..<500 {
            var damaged = release
            for _ in 0...Int.random(in: 0..<3, using: &random) {
                let place = places[Int.random(in: 0..<3, using: &random)]
                let index = Int.random(in: 0..<damaged[keyPath: place].count, using: &random)
                damaged[keyPath: place][index] = UInt8.random(in: 0...255, using: &random)
            }
            let followed = try damaged.follow()
            if let update = try? followed.result.get() {
                #expect(update.targets == original.targets)
                #expect(update.timestamp == original.timestamp)
            } else {
                #expect(followed.stored == [])
            }
        }
    }

    @Test("random text made of JSON's parts does not trip the parser, and what is read has one form")
    func randomText() throws {
        var random = SplitMix64(seed: 7)
        let parts = [
            "{", "}", "[", "]", ",", ":", "\"", "\"a\"", "\"b\":", "1", "-", "0", "9007199254740991", ".", "e", "true",
            "null", "\\", "\\u", "d83d", "\\ude00", "00", " ", "\n", "é", "\u{1F600}", "\u{0}",
        ]
        var read = 0
        for _ in 0..<20_000 {
            var text: [UInt8] = []
            for _ in 0..<Int.random(in: 1...9, using: &random) {
                text += parts[Int.random(in: 0..<parts.count, using: &random)].utf8
            }
            if Int.random(in: 0..<10, using: &random) == 0 { text.append(UInt8.random(in: 128...255, using: &random)) }
            guard let value = try? CanonicalValue(strictJSON: text) else { continue }
            read += 1
            #expect(try CanonicalValue(strictJSON: value.bytes) == value)
            #expect(throws: Never.self) {
                try JSONSerialization.jsonObject(with: Data(text), options: .fragmentsAllowed)
            }
        }
        #expect(read > 100)
    }
}

import EnsembleModel
import Foundation
import HTTPTypes
import NIOCore
import RegistryAPI
import RegistryClient
import Synchronization
import Testing

@testable import RegistryCommands

struct ClientTests {
    @Test func delaysAreBoundedAndFullJitter() throws {
        let policy = RetryPolicy(
            attempts: 5, base: .milliseconds(100), cap: .milliseconds(300), longestRetryAfter: .seconds(2))
        var generator = SplitMix(state: 7)
        for (attempt, bound) in [(1, 0.1), (2, 0.2), (3, 0.3), (4, 0.3)] {
            let seconds = try (0..<500).map { _ in
                try #require(policy.delay(after: attempt, retryAfter: nil, using: &generator)) / .seconds(1)
            }
            let (least, most) = (try #require(seconds.min()), try #require(seconds.max()))
            #expect((0..<0.05 * bound).contains(least))
            #expect((0.95 * bound...bound).contains(most))
        }
        #expect(policy.delay(after: 5, retryAfter: nil, using: &generator) == nil)
        #expect(RetryPolicy.never.delay(after: 1, retryAfter: nil, using: &generator) == nil)
        for (asked, least) in [(1, 1), (3600, 2), (-5, 0)] {
            let delay = try #require(policy.delay(after: 1, retryAfter: .seconds(asked), using: &generator))
            #expect((Duration.seconds(least) ... .seconds(least) + .milliseconds(100)).contains(delay))
        }
    }

    /// Steele, Lea, Flood: "Fast splittable pseudorandom number generators" (2014).
    private struct SplitMix: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }

    @Test func repeatableRequestsAreTriedAgainWhenBusy() async throws {
        let busy = Problem(.busy, detail: "try later")
        try await CannedRegistry.with { _, number in
            number < 2
                ? try .problem(busy, headers: ["Retry-After": "1"])
                : try .json(Page<EnsembleRecord>(items: [], next: nil))
        } _: { registry in
            let page = try await registry.client { try await $0.ensembles(limit: 7) }
            #expect(page.items.isEmpty)
            #expect(registry.seen.map(\.target) == Array(repeating: "/api/v1/ensembles?limit=7", count: 3))
        }
    }

    @Test func attemptsEndAndOthersAreNotRepeated() async throws {
        try await CannedRegistry.with { _, _ in
            try .problem(Problem(.busy, detail: "no"))
        } _: { registry in
            let error = try await #require(throws: RegistryClientError.self) {
                try await registry.client(attempts: 3) { try await $0.model(ModelVersionID("a@1")) }
            }
            #expect(error.problem?.code == .busy)
            #expect(registry.seen.count == 3)
            await #expect(throws: RegistryClientError.self) {
                try await registry.client { try await $0.found(ensemble: "e") }
            }
            #expect(registry.seen.count == 4)
        }
    }

    @Test func uploadsAreSentWholeAgain() async throws {
        let record = try Fixture.submission(state: .candidate)
        try await CannedRegistry.with { _, number in
            number == 0 ? try .problem(Problem(.databaseUnavailable, detail: "gone")) : try .json(record, status: 202)
        } _: { registry in
            let text = String(repeating: "id,a\n", count: 100_000)
            let upload = Upload(
                ChunkSequence { NumpyTests.Pieces(text.utf8, size: 65_536) }, contentType: "text/csv",
                contentLength: Int64(text.utf8.count), digest: .of(text))
            let sent = Counter()
            let answer = try await registry.client {
                try await $0.submit(
                    ModelVersionID("a@1"), to: "e",
                    metadata: ModelMetadata(
                        kind: "a b&c", artifactURI: "s3://x/y+z", latencyNanoseconds: 5_900_000,
                        costNanoUSDPerRow: 37_000,
                        tags: ["k": "v=1"]),
                    predictions: upload, idempotencyKey: "key", progress: { count in sent.last.withLock { $0 = count } }
                )
            }
            #expect(answer == record)
            #expect(sent.last.withLock { $0 } == Int64(text.utf8.count))
            #expect(registry.seen.count == 2)
            for seen in registry.seen {
                #expect(seen.body == Array(text.utf8))
                #expect(
                    seen.target
                        == "/api/v1/ensembles/e/submissions?model=a%401&kind=a%20b%26c&artifact=s3%3A%2F%2Fx%2Fy%2Bz"
                        + "&latency_ms=5.9&cost_usd_per_10k=0.37&tag=k%3Dv%3D1")
                #expect(seen.headers[.contentLength] == "\(text.utf8.count)")
                let names = try ["Idempotency-Key", "Content-Digest"].map { try #require(HTTPField.Name($0)) }
                #expect(seen.headers[names[0]] == "key")
                let digest = try #require(seen.headers[names[1]])
                let base64 = try #require(digest.wholeMatch(of: /sha-256=:(.*):/)).1
                let bytes = try #require(Data(base64Encoded: String(base64)))
                #expect(bytes.hexadecimal == ContentDigest.of(text).hex)
            }
        }
    }

    @Test func failureToReadTheBodyIsNotTheNetworks() async throws {
        try await CannedRegistry.with { _, _ in
            try .json(Fixture.submission(state: .candidate))
        } _: { registry in
            let upload = Upload(
                ChunkSequence { throw CommandError(.refused, "it is cut short") }, contentType: "text/csv",
                contentLength: 5)
            let error = try await #require(throws: RegistryClientError.self) {
                try await registry.client {
                    try await $0.submit(
                        ModelVersionID("a@1"), to: "e", metadata: ModelMetadata(), predictions: upload,
                        idempotencyKey: "k")
                }
            }
            #expect(error.code == .invalidBody)
            #expect(ExitStatus(error) == .refused)
            #expect(ErrorText.of(error) == "it is cut short")
        }
    }

    @Test func manifestsAndCombinersAreVerified() async throws {
        let combiner = Combiner(text: Array("tree\n".utf8), treeCount: 3, golden: Fixture.golden)
        let manifest = try Fixture.manifest(combiner)
        let bytes = try manifest.canonicalBytes()
        let digest = ContentDigest.of(bytes)
        try await CannedRegistry.with { seen, _ in
            switch seen.target {
            case "/api/v1/combiners/\(combiner.digest.hex)": return .init(body: combiner.text)
            case "/api/v1/ensembles/e/manifest":
                if seen.headers[.ifNoneMatch] == "\"\(digest.hex)\"" { return .init(status: 304) }
                return .init(headers: ["ETag": "\"\(digest.hex)\""], body: bytes)
            case "/api/v1/ensembles/other/manifest": return .init(headers: ["ETag": "\"\(digest.hex)\""], body: bytes)
            case "/api/v1/ensembles/e/manifests/9": return .init(headers: ["ETag": "\"\(digest.hex)\""], body: bytes)
            case "/api/v1/ensembles/e/manifests/1":
                return .init(headers: ["ETag": "\"\(digest.hex)\""], body: bytes + [0x20])
            default: return .init(body: Array("other".utf8))
            }
        } _: { registry in
            try await registry.client { client in
                guard case .manifest(let found) = try await client.manifest(ensemble: "e") else {
                    Issue.record("a manifest was expected")
                    return
                }
                #expect(found.bytes == bytes)
                #expect(found.digest == digest)
                #expect(found.manifest == manifest)
                #expect(try await client.manifest(ensemble: "e", ifNoneMatch: digest) == .notModified)
                #expect(try await client.combiner(combiner.digest, maximumBytes: 5) == combiner.text)
                await Self.expect(.protocolViolation) {
                    _ = try await client.combiner(combiner.digest, maximumBytes: 4)
                }
                await Self.expect(.digestMismatch) { _ = try await client.combiner(digest) }
                await Self.expect(.digestMismatch) { _ = try await client.manifest(ensemble: "e", sequence: 1) }
                await Self.expect(.protocolViolation) { _ = try await client.manifest(ensemble: "e", sequence: 9) }
                await Self.expect(.protocolViolation) { _ = try await client.manifest(ensemble: "other") }
                await Self.expect(.invalidRequest) { _ = try await client.manifest(ensemble: "../tokens") }
            }
        }
    }

    private static func expect(_ code: RegistryClientError.Code, _ body: () async throws -> Void) async {
        let error = await #expect(throws: RegistryClientError.self) { try await body() }
        #expect(error?.code == code)
    }

    @Test func pollsSayHowLong() async throws {
        let record = try Fixture.evaluation(state: .decided)
        try await CannedRegistry.with { _, _ in
            try .json(record)
        } _: { registry in
            try await registry.client { client in
                let waited = try await client.evaluation(7, wait: .seconds(25))
                let asked = try await client.evaluation(7)
                #expect([waited, asked] == [record, record])
            }
            #expect(registry.seen.map(\.target) == ["/api/v1/evaluations/7?wait=25", "/api/v1/evaluations/7"])
        }
    }

    @Test func answersOfOthersAreNotTakenForTheRegistrys() async throws {
        try await CannedRegistry.with { seen, _ in
            switch seen.target {
            case "/api/v1/ensembles/a": .init(status: 404, body: Array("<html>".utf8))
            case "/api/v1/ensembles/b": .init(status: 200, body: Array("<html>".utf8))
            case "/api/v1/ensembles/c": .init(status: 302, headers: ["Location": "http://127.0.0.1:1/"])
            case "/api/v1/ensembles/d": .init(status: 502, body: Array("<html>".utf8))
            default:
                .init(
                    status: 418,
                    body: Array(#"{"code":"teapot","title":"Short","detail":"and stout","status":418}"#.utf8))
            }
        } _: { registry in
            try await registry.client(attempts: 1) { client in
                for name in ["a", "b", "c"] {
                    await Self.expect(.protocolViolation) { _ = try await client.ensemble(name) }
                }
                await Self.expect(.unreachable) { _ = try await client.ensemble("d") }
                let error = await #expect(throws: RegistryClientError.self) { try await client.ensemble("e") }
                #expect(error?.problem?.title == "Short")
                #expect(error?.problem?.status == 418)
            }
        }
    }

    @Test func tokensAreSentAndNeverShown() async throws {
        let secret = "ert_VerySecret"
        try await CannedRegistry.with { _, _ in
            try .problem(Problem(.unauthenticated, detail: "no such token"))
        } _: { registry in
            let error = try await #require(throws: RegistryClientError.self) {
                try await registry.client(token: secret) { client in
                    #expect(!"\(client)".contains(secret))
                    #expect(!String(reflecting: client).contains(secret))
                    _ = try await client.ensembles()
                }
            }
            #expect(registry.seen.first?.headers[.authorization] == "Bearer \(secret)")
            var dumped = ""
            dump(error, to: &dumped)
            #expect(!dumped.contains(secret))
        }
        for bad in ["", "two words", "line\nfeed"] {
            let error = #expect(throws: RegistryClientError.self) {
                try RegistryClientConfiguration(baseURL: "http://h", token: bad)
            }
            #expect(error?.message.contains("two") == false)
        }
    }

    @Test(arguments: ["", "h:1", "ftp://h", "http://", "http://u:p@h", "http://h?x=1", "http://h#x"])
    func badAddressesAreRefused(_ url: String) {
        #expect(throws: RegistryClientError.self) { try RegistryClientConfiguration(baseURL: url) }
    }
}

private final class Counter: Sendable {
    let last = Mutex<Int64>(0)
}

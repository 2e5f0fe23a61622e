import EnsembleModel
import Foundation
import HTTPTypes
import HummingbirdTesting
import Logging
import NIOCore
import NIOEmbedded
import NIOHTTPTypes
import RegistryAPI
import RegistryTesting
import Testing
import Trust

@testable import RegistryServer

/// Polls that their connections hold.
@Suite struct PollHandlerTests {
    /// A founded ensemble `pets` behind a port, and the head of a request of a token that is known there.
    private static func with(
        _ body: @escaping @Sendable (RegistryHarness, SimulatedTask, Int) async throws -> Void
    ) async throws {
        try await MetadataTests.with { registry, task in
            let configuration = DaemonConfiguration(
                host: "127.0.0.1", port: 0, dataDirectory: "/nonexistent", workerExecutable: "/nonexistent")
            let application = RegistryDaemon.application(
                registry.parts, configuration: configuration, logger: LogRecorder().logger)
            while registry.parts.tokens.known(secret: registry.admin) == nil {
                _ = try await registry.send(.get, Self.path)
            }
            try await application.test(.live) { try await body(registry, task, #require($0.port)) }
        }
    }

    private static let path = APIPath.tufMetadata("pets", "timestamp.json")

    private static func poll(
        _ registry: RegistryHarness, _ path: String = path, after: String = "1.1", wait: Int = 60, token: String? = nil
    ) -> String {
        "GET \(path)?after=\(after) HTTP/1.1\r\nAuthorization: Bearer \(token ?? registry.admin)\r\n"
            + "Prefer: wait=\(wait)\r\n\r\n"
    }

    /// Well before a poll would end by itself.
    private static func waitForHeldPolls(_ count: Int, _ registry: RegistryHarness) async {
        let deadline = ContinuousClock.now + .seconds(20)
        while registry.parts.watch.heldPolls != count, ContinuousClock.now < deadline { await Task.yield() }
        #expect(registry.parts.watch.heldPolls == count)
    }

    @Test func aPollGoesNoFurtherThanItsConnection() async throws {
        try await Self.with { registry, task, _ in
            let channel = NIOAsyncTestingChannel()
            try await channel.testingEventLoop.executeInContext {
                try channel.pipeline.syncOperations.addHandler(PollHandler(parts: registry.parts))
            }
            try await channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1))
            let head = HTTPRequest(
                method: .get, scheme: nil, authority: nil, path: Self.path + "?after=1.1",
                headerFields: [.authorization: "Bearer \(registry.admin)", .prefer: "respond-async, wait=60"])
            try await channel.writeInbound(HTTPRequestPart.head(head))
            try await channel.writeInbound(HTTPRequestPart.end(nil))
            await Self.waitForHeldPolls(1, registry)
            try await MetadataTests.promote(registry, task)
            guard case .head(let answer) = try await channel.waitForOutboundWrite(as: HTTPResponsePart.self),
                case .body(let body) = try await channel.waitForOutboundWrite(as: HTTPResponsePart.self),
                case .end = try await channel.waitForOutboundWrite(as: HTTPResponsePart.self)
            else {
                Issue.record("no whole answer")
                return
            }
            let timestamp = try Signed<Timestamp>(parsing: Array(body.readableBytesView)).content
            #expect(timestamp.position == ManifestPosition(generation: 1, sequence: 2))
            #expect(try await channel.readInbound(as: HTTPRequestPart.self) == nil, "it went on to the routes")

            // But for what only a poll has, as a route answers it.
            let plain = try await registry.send(.get, Self.path)
            #expect(plain.bytes == Array(body.readableBytesView))
            #expect(answer.status == .ok && answer.headerFields[.preferenceApplied] == "wait=60")
            for name in [HTTPField.Name.contentType, .contentLength, .eTag, .cacheControl] {
                #expect(answer.headerFields[name] != nil && answer.headerFields[name] == plain.headers[name])
            }
            #expect(answer.headerFields[.requestID] != nil && answer.headerFields[.server] == "ensemble-registry")
            let format = Date.VerbatimFormatStyle(
                format: """
                    \(weekday: .abbreviated), \(day: .twoDigits) \(month: .abbreviated) \(year: .defaultDigits) \
                    \(hour: .twoDigits(clock: .twentyFourHour, hourCycle: .zeroBased)):\(minute: .twoDigits):\
                    \(second: .twoDigits) GMT
                    """,
                locale: Locale(identifier: "en_US_POSIX"), timeZone: .gmt, calendar: Calendar(identifier: .gregorian))
            let date = try #require(answer.headerFields[.date])
            #expect((-5...5).contains(try Date(date, strategy: format.parseStrategy).timeIntervalSinceNow))
            _ = try await channel.finish()
        }
    }

    @Test func whatComesBehindAPollIsAnsweredAfterIt() async throws {
        try await Self.with { registry, task, port in
            let connection = try RawConnection(port: port)
            let live = "GET /health/live HTTP/1.1\r\n"
            // More parts than are kept behind a poll before no more is read.
            let many = Array(repeating: live + "\r\n", count: 40).joined()
            try await connection.send(Self.poll(registry))
            await Self.waitForHeldPolls(1, registry)
            try await connection.send(many + Self.poll(registry, wait: 1) + live + "Connection: close\r\n\r\n")
            try await MetadataTests.promote(registry, task)
            let answers = try await connection.readToEnd().components(separatedBy: "HTTP/1.1 ").dropFirst()
            #expect(answers.count == 43 && answers.allSatisfy { $0.hasPrefix("200 ") })
            // The second poll is of an older manifest, and answered at once.
            let timestamps = answers.map { $0.contains("\"sequence\":2") }
            #expect(timestamps == [true] + Array(repeating: false, count: 40) + [true, false])
        }
    }

    @Test func aPollWithoutNewsEndsWithItsWait() async throws {
        try await Self.with { registry, _, port in
            let connection = try RawConnection(port: port)
            try await connection.send(Self.poll(registry, wait: 1))
            let answer = try await connection.read(until: "\"signed\"")
            #expect(answer.hasPrefix("HTTP/1.1 200 ") && answer.contains("\"sequence\":1"))
        }
    }

    @Test func anythingElseIsForTheRoutes() async throws {
        try await Self.with { registry, _, port in
            let connection = try RawConnection(port: port)
            func answer(_ request: String, until end: String = "\"code\"") async throws -> String {
                try await connection.send(request)
                return try await connection.read(until: end)
            }
            let known = try await answer(Self.poll(registry, after: "1.0"), until: "\"signed\"")
            #expect(known.hasPrefix("HTTP/1.1 200 "))
            #expect(try await answer(Self.poll(registry, after: "1.7")).contains("\"conflict\""))
            #expect(try await answer(Self.poll(registry, after: "1")).contains("\"bad_request\""))
            for query in ["x=1", "rollout=", "rollout=10001", "rollout=1&x=1", "x=1&rollout=1"] {
                let poll = Self.poll(registry, after: "1.1&" + query)
                #expect(try await answer(poll).contains("\"bad_request\""), "\(query)")
            }
            #expect(try await answer(Self.poll(registry, token: "er_x")).contains("\"unauthenticated\""))
            let submitter = try await registry.token("submitter", [.submit])
            for _ in 0..<2 {
                // Asked for again, the token is known.
                #expect(try await answer(Self.poll(registry, token: submitter)).contains("\"forbidden\""))
            }
            let other = APIPath.tufMetadata("others", "timestamp.json")
            #expect(try await answer(Self.poll(registry, other, wait: 0)).contains("\"ensemble_not_found\""))
            // With a body, which no GET needs to have.
            let long = Self.poll(registry, after: "1.7").dropLast(2) + "Content-Length: 2\r\n\r\nid"
            #expect(try await answer(String(long)).contains("\"conflict\""))
        }
    }

    enum End: CaseIterable {
        case both, sending, reset
    }

    @Test(arguments: End.allCases)
    func aPollEndsWithItsConnection(end: End) async throws {
        try await Self.with { registry, _, port in
            let connection = try RawConnection(port: port)
            try await connection.send(Self.poll(registry))
            await Self.waitForHeldPolls(1, registry)
            switch end {
            case .both: connection.end(SHUT_RDWR)
            case .sending: connection.end(SHUT_WR)
            case .reset: connection.reset()
            }
            await Self.waitForHeldPolls(0, registry)
        }
    }
}

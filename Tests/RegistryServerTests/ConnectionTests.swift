import Foundation
import Hummingbird
import HummingbirdTesting
import Logging
import Postgres
import RegistryStore
import RegistryTesting
import Testing

@testable import RegistryServer

/// What only a real connection shows: requests that are answered, or end, before they are whole.
@Suite struct ConnectionTests {
    /// Runs the daemon's application on a port; without a database for what is refused before one is needed.
    private static func with(
        database: String = "host=/nonexistent", log: LogRecorder = LogRecorder(),
        _ body: @escaping @Sendable (Int) async throws -> Void
    ) async throws {
        let logger = log.logger
        let postgres = PostgresConfiguration(connectionString: database)
        try await PostgresClient.withClient(configuration: postgres, logger: logger) { client in
            var configuration = DaemonConfiguration(
                host: "127.0.0.1", port: 0, dataDirectory: "/nonexistent", workerExecutable: "/nonexistent")
            configuration.limits.earlyAnswerLinger = .milliseconds(200)
            let parts = DaemonParts(
                store: RegistryStore(client: client, logger: logger), limits: configuration.limits, logger: logger)
            let application = RegistryDaemon.application(parts, configuration: configuration, logger: logger)
            try await application.test(.live) { http in
                try await body(#require(http.port))
            }
        }
    }

    private static let upload = "POST /api/v1/ensembles/pets/submissions?model=m@1 HTTP/1.1\r\nHost: registry\r\n"

    @Test(arguments: ["Content-Length: 1000000000\r\n\r\nid,cat", "Transfer-Encoding: chunked\r\n\r\n2\r\nid\r\n"])
    func aRefusedUploadIsAnsweredAndItsConnectionEnds(rest: String) async throws {
        try await Self.with { port in
            let connection = try RawConnection(port: port)
            try await connection.send(Self.upload + rest)
            let answer = try await connection.readToEnd()
            #expect(answer.hasPrefix("HTTP/1.1 401 "))
            #expect(answer.lowercased().contains("\r\nconnection: close\r\n"))
            #expect(answer.contains("\"unauthenticated\""))
        }
    }

    @Test func aRefusedUploadIsNotReadForEver() async throws {
        try await Self.with { port in
            let connection = try RawConnection(port: port)
            try await connection.send(Self.upload + "Content-Length: 1000000000000\r\n\r\n")
            let sent = await connection.sendUntilRefused(limit: .seconds(10))
            #expect(sent != nil, "the daemon goes on reading")
        }
    }

    enum Break: CaseIterable {
        case end, halfEnd, reset
    }

    @Test(arguments: Break.allCases, ["Content-Length: 100", "Transfer-Encoding: chunked"])
    func anUploadBrokenOffIsTheClientsDoing(kind: Break, length: String) async throws {
        try await RegistryHarness.with { registry in
            let log = LogRecorder()
            try await Self.with(database: registry.database, log: log) { port in
                let connection = try RawConnection(port: port)
                let body = length.hasPrefix("Content") ? "id,label\na,cat\n" : "f\r\nid,label\na,cat\n\r\n"
                try await connection.send(
                    "PUT /api/v1/ensembles/pets?class=cat&class=dog HTTP/1.1\r\n"
                        + "Authorization: Bearer \(registry.admin)\r\n\(length)\r\n\r\n\(body)")
                // Until the daemon has begun to read.
                try await Task.sleep(for: .milliseconds(200))
                switch kind {
                case .end: connection.end(SHUT_RDWR)
                case .halfEnd: connection.end(SHUT_WR)
                case .reset: connection.reset()
                }
                let deadline = ContinuousClock.now + .seconds(10)
                var entry: LogRecorder.Entry?
                while entry == nil, ContinuousClock.now < deadline {
                    try await Task.sleep(for: .milliseconds(10))
                    entry = log.entries.first { $0.metadata["code"] != nil }
                }
                #expect(entry?.level == .info)
                #expect(entry?.metadata["code"] == "request_interrupted")
                if kind == .halfEnd {
                    #expect(try await connection.readToEnd().hasPrefix("HTTP/1.1 400 "))
                }
            }
        }
    }

    @Test func aConnectionOutlivesErrorsOfWholeRequests() async throws {
        try await Self.with { port in
            let connection = try RawConnection(port: port)
            let whole = Self.upload + "Content-Length: 2\r\n\r\nid"
            // The third is sent ahead of the second's answer.
            try await connection.send(whole)
            let first = try await connection.read(until: "}")
            try await connection.send(whole + "GET /health/live HTTP/1.1\r\nConnection: close\r\n\r\n")
            let others = try await connection.readToEnd()
            #expect(!(first + others).lowercased().contains("connection: close"))
            #expect(first.hasPrefix("HTTP/1.1 401 "))
            #expect(others.hasPrefix("HTTP/1.1 401 "))
            #expect(others.contains("HTTP/1.1 200 "))
        }
    }
}

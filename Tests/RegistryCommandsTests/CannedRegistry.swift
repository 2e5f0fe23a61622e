import EnsembleModel
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore
import RegistryAPI
import RegistryClient
import Synchronization

@testable import RegistryCommands

/// A registry that gives prepared answers over a real socket and remembers what it was asked: it tests the client's
/// half of the contract only.
struct CannedRegistry: Sendable {
    struct Seen: Sendable {
        var method: String
        /// Path and query as sent.
        var target: String
        var headers: HTTPFields
        var body: [UInt8]
    }

    struct Reply: Sendable {
        var status = 200
        var headers: [String: String] = [:]
        var body: [UInt8] = []

        static func json(_ value: some Encodable, status: Int = 200) throws -> Reply {
            Reply(
                status: status, headers: ["Content-Type": "application/json"],
                body: Array(try APIJSON.encoder().encode(value)))
        }

        static func problem(_ problem: Problem, headers: [String: String] = [:]) throws -> Reply {
            var reply = try json(problem, status: problem.status)
            reply.headers = headers
            return reply
        }
    }

    let url: String
    private let log: Log

    private final class Log: Sendable {
        let seen = Mutex<[Seen]>([])
    }

    /// The requests so far.
    var seen: [Seen] { log.seen.withLock { $0 } }

    /// Runs `body` with a registry that answers by `answer`, which is given the request and its number, 0 = first.
    static func with<Result: Sendable>(
        _ answer: @escaping @Sendable (Seen, Int) throws -> Reply,
        _ body: @escaping @Sendable (CannedRegistry) async throws -> Result
    ) async throws -> Result {
        let log = Log()
        let (ports, continuation) = AsyncStream<Int>.makeStream()
        let responder = CallbackResponder<BasicRequestContext> { request, _ in
            var bytes: [UInt8] = []
            for try await piece in request.body { bytes += piece.readableBytesView }
            let seen = Seen(
                method: request.method.rawValue, target: request.uri.string, headers: request.headers, body: bytes)
            let number = log.seen.withLock { all in
                all.append(seen)
                return all.count - 1
            }
            let reply = try answer(seen, number)
            var headers = HTTPFields()
            for (name, value) in reply.headers {
                guard let name = HTTPField.Name(name) else { continue }
                headers[name] = value
            }
            return Response(
                status: .init(code: reply.status), headers: headers,
                body: ResponseBody(byteBuffer: ByteBuffer(bytes: reply.body)))
        }
        let application = Application(
            responder: responder, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { continuation.yield($0.localAddress?.port ?? 0) },
            logger: Logger(label: "canned") { _ in SwiftLogNoOpLogHandler() })
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await application.run() }
            defer { group.cancelAll() }
            for await port in ports {
                return try await body(CannedRegistry(url: "http://127.0.0.1:\(port)", log: log))
            }
            throw CancellationError()
        }
    }

    /// A client without pauses between attempts.
    func client<Result: Sendable>(
        token: String? = nil, attempts: Int = 4, _ body: @escaping @Sendable (RegistryClient) async throws -> Result
    ) async throws -> Result {
        let configuration = try RegistryClientConfiguration(
            baseURL: url, token: token, retries: RetryPolicy(attempts: attempts, base: .zero, longestRetryAfter: .zero))
        return try await RegistryClient.withClient(configuration: configuration, body)
    }
}

/// What a command wrote.
struct Transcript: Sendable {
    var status: Int32
    var output: String
    var errors: String

    private final class Pages: Sendable {
        let text = Mutex((output: "", errors: ""))
        /// What the person will type.
        let answers = Mutex<[String]>([])
    }

    /// Runs a command in this process.
    static func run(
        _ arguments: [String], registry: CannedRegistry? = nil, environment: [String: String] = [:],
        answers: [String] = []
    ) async -> Transcript {

        let pages = Pages()
        pages.answers.withLock { $0 = answers }
        var environment = environment
        if let registry { environment["REGISTRY_URL"] = registry.url }
        let console = Console(
            write: { text in pages.text.withLock { $0.output += text } },
            tell: { text in pages.text.withLock { $0.errors += text } },
            isWatched: false, width: 80, environment: environment,
            ask: { _ in pages.answers.withLock { $0.isEmpty ? nil : $0.removeFirst() } })
        let status = await RegistryProgram.run(arguments, console: console)
        let text = pages.text.withLock { $0 }
        return Transcript(status: status, output: text.output, errors: text.errors)
    }
}

/// A folder that goes away with the test.
func withScratchFolder<Result>(_ body: (URL) async throws -> Result) async throws -> Result {
    let folder = FileManager.default.temporaryDirectory.appending(path: "registry-commands-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    return try await body(folder)
}

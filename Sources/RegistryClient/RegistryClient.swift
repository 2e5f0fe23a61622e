public import AsyncHTTPClient
import EnsembleModel
import Foundation
public import Logging
import NIOCore
import NIOFoundationCompat
import NIOHTTP1
import RegistryAPI

/// A typed client of the registry's HTTP API: one method a route (see ``APIPath``).
///
/// Every method throws ``RegistryClientError``, or `CancellationError` when its task is cancelled. Repeatable requests
/// are tried again on connection failures and 503, see ``RetryPolicy``.
public struct RegistryClient: Sendable {
    let configuration: RegistryClientConfiguration
    private let httpClient: HTTPClient
    private let logger: Logger

    /// Creates a client over an HTTP client, which stays its owner's to shut down.
    ///
    /// - Parameter httpClient: best made with ``RegistryClientConfiguration/httpClientConfiguration``.
    public init(
        configuration: RegistryClientConfiguration, httpClient: HTTPClient,
        logger: Logger = Logger(label: "registry-client") { _ in SwiftLogNoOpLogHandler() }
    ) {
        self.configuration = configuration
        self.httpClient = httpClient
        self.logger = logger
    }

    /// Runs `body` with a client of its own, whose connections are closed when it ends in whatever way.
    public static func withClient<Result: Sendable>(
        configuration: RegistryClientConfiguration,
        logger: Logger = Logger(label: "registry-client") { _ in SwiftLogNoOpLogHandler() },
        _ body: @Sendable (RegistryClient) async throws -> Result
    ) async throws -> Result {
        try await HTTPClient.withHTTPClient(configuration: configuration.httpClientConfiguration) { httpClient in
            try await body(RegistryClient(configuration: configuration, httpClient: httpClient, logger: logger))
        }
    }

    /// Sends a request, and again where that helps, until `read` has taken its answer.
    func perform<Result>(
        _ request: APIRequest, _ read: (HTTPClientResponse) async throws -> Result
    ) async throws -> Result {
        var generator = SystemRandomNumberGenerator()
        var attempt = 1
        while true {
            do {
                return try await read(exchange(request))
            } catch {
                let failure = try Failure(error, address: configuration.baseURL)
                guard request.isRepeatable, failure.isTransient,
                    let delay = configuration.retries.delay(
                        after: attempt, retryAfter: failure.retryAfter, using: &generator)
                else { throw failure.error }
                logger.debug(
                    "request failed, trying again",
                    metadata: [
                        "path": "\(request.path)", "attempt": "\(attempt)", "reason": "\(failure.error.message)",
                    ])
                attempt += 1
                try await Task.sleep(for: delay)
            }
        }
    }

    /// Sends a request and decodes its answer.
    func decode<Answer: Decodable>(_ type: Answer.Type = Answer.self, from request: APIRequest) async throws -> Answer {
        try await perform(request) { try await decode(type, from: $0) }
    }

    func decode<Answer: Decodable>(_ type: Answer.Type, from response: HTTPClientResponse) async throws -> Answer {
        let body = try await collect(response)
        do {
            return try APIJSON.decoder().decode(type, from: body)
        } catch {
            throw RegistryClientError(
                .protocolViolation, "the registry's answer could not be read: is it of another version?", cause: error)
        }
    }

    /// The body of an answer, whole.
    func collect(_ response: HTTPClientResponse, upTo limit: Int? = nil) async throws -> ByteBuffer {
        let limit = limit ?? configuration.maximumAnswerBytes
        do {
            return try await response.body.collect(upTo: limit)
        } catch is NIOTooManyBytesError {
            throw RegistryClientError(.protocolViolation, "the registry's answer is longer than \(limit) bytes")
        }
    }

    /// Sends a request once; an answer that is an error is thrown.
    private func exchange(_ request: APIRequest) async throws -> HTTPClientResponse {
        var deadline = NIODeadline.distantFuture
        if case .upload = request.content {
        } else {
            deadline = .now() + TimeAmount(configuration.timeouts.answer + request.wait)
        }
        let response = try await httpClient.execute(request.http(configuration), deadline: deadline)
        switch response.status.code {
        case 200..<300, 304: return response
        default: throw await Refusal(response)
        }
    }
}

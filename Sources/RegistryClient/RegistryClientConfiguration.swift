public import AsyncHTTPClient
import Foundation
import NIOCore

/// Where the registry is, who is asking and how patiently.
public struct RegistryClientConfiguration: Sendable {
    /// How long to wait for what.
    public struct Timeouts: Hashable, Sendable {
        /// Until a connection stands.
        public var connect: Duration
        /// Until an answer begins, uploads excepted; a long poll adds what it asks the registry to wait.
        public var answer: Duration
        /// Between two pieces of an upload or an answer, and from an upload's last byte to its answer.
        public var idle: Duration

        /// Creates timeouts.
        public init(connect: Duration = .seconds(5), answer: Duration = .seconds(60), idle: Duration = .seconds(300)) {
            self.connect = connect
            self.answer = answer
            self.idle = idle
        }
    }

    /// Address of the registry without a trailing slash, e.g. `http://127.0.0.1:8470`; a path prefix is kept.
    public let baseURL: String
    /// The secret sent as bearer token.
    let token: Secret?
    /// How long to wait for what.
    public var timeouts: Timeouts
    /// How often to try again.
    public var retries: RetryPolicy
    /// Longest answer kept in memory, in bytes.
    public var maximumAnswerBytes: Int

    /// Checks the address and the token.
    ///
    /// - Throws: ``RegistryClientError`` with code `invalidRequest`.
    public init(
        baseURL: String, token: String? = nil, timeouts: Timeouts = Timeouts(), retries: RetryPolicy = RetryPolicy(),
        maximumAnswerBytes: Int = 256 << 20
    ) throws(RegistryClientError) {
        guard let url = URLComponents(string: baseURL), ["http", "https"].contains(url.scheme),
            url.host?.isEmpty == false,
            url.query == nil, url.fragment == nil
        else {
            throw RegistryClientError(.invalidRequest, "the registry's address must look like http://host:port")
        }
        guard url.user == nil, url.password == nil else {
            throw RegistryClientError(
                .invalidRequest, "the registry's address must not hold a password: give a token instead")
        }
        self.baseURL = String(baseURL.trimmingSuffix("/"))
        self.token = try token.map(Secret.init)
        self.timeouts = timeouts
        self.retries = retries
        self.maximumAnswerBytes = maximumAnswerBytes
    }

    /// Settings of a fitting HTTP client: redirects are refused, retries are left to ``RegistryClient``.
    public var httpClientConfiguration: HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow,
            timeout: .init(
                connect: TimeAmount(timeouts.connect), read: TimeAmount(timeouts.idle), write: TimeAmount(timeouts.idle)
            ))
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.httpVersion = .http1Only
        return configuration
    }
}

/// A bearer token that no description or reflection shows.
struct Secret: Sendable, CustomStringConvertible, CustomReflectable {
    private let value: String

    init(_ value: String) throws(RegistryClientError) {
        guard !value.isEmpty, value.utf8.count <= 4096, value.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw RegistryClientError(.invalidRequest, "the token must be one word of printable ASCII characters")
        }
        self.value = value
    }

    var authorization: String { "Bearer \(value)" }
    var description: String { "(secret)" }
    var customMirror: Mirror { Mirror(self, children: []) }
}

extension String {
    fileprivate func trimmingSuffix(_ suffix: Character) -> Substring {
        var rest = self[...]
        while rest.last == suffix { rest.removeLast() }
        return rest
    }
}

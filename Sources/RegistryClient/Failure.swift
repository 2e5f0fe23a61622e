import AsyncHTTPClient
import EnsembleModel
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import RegistryAPI

/// An answer with an error status.
struct Refusal: Error {
    let error: RegistryClientError
    let status: Int
    let retryAfter: Duration?

    private static let maximumProblemBytes = 4 << 20

    init(_ response: HTTPClientResponse) async {
        status = Int(response.status.code)
        retryAfter = response.headers.first(name: "Retry-After").flatMap { Int($0) }.map { .seconds($0) }
        let body = try? await response.body.collect(upTo: Self.maximumProblemBytes)
        if let body, let problem = Self.problem(Data(body.readableBytesView), status: status) {
            error = RegistryClientError(problem)
        } else if [502, 503, 504].contains(status) {
            error = RegistryClientError(
                .unreachable, "a gateway answered \(status): the registry behind it cannot be reached")
        } else {
            let hint = (300..<400).contains(status) ? "; redirects are not followed" : ""
            error = RegistryClientError(
                .protocolViolation,
                "the answer was \(status) without a problem document\(hint): is this the registry's address?")
        }
    }

    /// A problem, also one whose code this version does not know: it then takes the code that shares its status.
    private static func problem(_ body: Data, status: Int) -> Problem? {
        if let problem = try? APIJSON.decoder().decode(Problem.self, from: body) { return problem }
        struct Loose: Decodable {
            var title: String
            var detail: String
        }
        guard let loose = try? APIJSON.decoder().decode(Loose.self, from: body) else { return nil }
        let code = ProblemCode.allCases.first { $0.status == status } ?? (status < 500 ? .badRequest : .internalError)
        var problem = Problem(code, detail: loose.detail)
        problem.title = loose.title
        problem.status = status
        return problem
    }
}

/// A failed attempt: what to tell the caller, and whether another may succeed.
struct Failure {
    let error: RegistryClientError
    let isTransient: Bool
    let retryAfter: Duration?

    /// - Throws: `CancellationError` when the failure is the caller's own.
    init(_ thrown: any Error, address: String) throws {
        if Task.isCancelled { throw CancellationError() }
        var retryAfter: Duration?
        switch thrown {
        case let refusal as Refusal:
            (error, isTransient, retryAfter) = (
                refusal.error, [502, 503, 504].contains(refusal.status), refusal.retryAfter
            )
        case let known as RegistryClientError:
            (error, isTransient) = (known, false)
        case is CancellationError:
            throw thrown
        case let error as HTTPClientError where Self.timeouts.contains(error):
            self.error = RegistryClientError(
                .timeout, "\(address) did not answer in time: try again, or allow more time", cause: error)
            isTransient = false
        case let error as HTTPClientError where error == .bodyLengthMismatch:
            self.error = RegistryClientError(
                .invalidBody, "the upload changed while it was read: try again", cause: error)
            isTransient = false
        default:
            error = RegistryClientError(
                .unreachable, "cannot reach the registry at \(address): \(Self.reason(thrown))", cause: thrown)
            isTransient = true
        }
        self.retryAfter = retryAfter
    }

    private static let timeouts: [HTTPClientError] = [.deadlineExceeded, .readTimeout, .writeTimeout]

    private static func reason(_ error: any Error) -> String {
        switch error {
        case let error as NIOConnectionError:
            if let first = error.connectionErrors.first { return reason(first.error) }
            return "the name \(error.host) could not be resolved"
        case let error as IOError: return String(cString: strerror(error.errnoCode)).lowercased()
        case let error as HTTPClientError where error == .remoteConnectionClosed: return "the connection was closed"
        case let error as HTTPClientError: return error.shortDescription
        default: return "\(type(of: error))"
        }
    }
}

import AsyncHTTPClient
import EnsembleModel
import Foundation
public import NIOCore
import NIOHTTP1
public import RegistryAPI

/// What serving nodes ask for: an ensemble's repository of signed files (The Update Framework), and their reports.
/// Nothing is verified here.
extension RegistryClient {
    /// A metadata file; nil when the registry has none of that name.
    ///
    /// - Parameters:
    ///   - file: its name, such as `7.root.json`.
    ///   - maximumBytes: longest file accepted.
    public func metadata(ensemble: String, file: String, maximumBytes: Int) async throws -> [UInt8]? {
        do {
            return try await perform(APIRequest(path: APIPath.tufMetadata(checked(ensemble), file))) { response in
                Array(try await collect(response, upTo: maximumBytes).readableBytesView)
            }
        } catch let error as RegistryClientError where error.problem?.code == .notFound {
            return nil
        }
    }

    /// The newest timestamp file.
    ///
    /// - Parameters:
    ///   - after: `GENERATION.SEQUENCE` of the newest manifest that the caller knows of: the answer is held until there
    ///     is another, at most for `wait`. Nil asks for an answer at once.
    ///   - rollout: the share of the nodes that this manifest had reached, for a node that it had not: another share is
    ///     news.
    ///   - wait: in whole seconds; comes on top of the time in which an answer must begin.
    ///   - maximumBytes: longest file accepted.
    /// - Throws: ``RegistryClientError`` with the problem `conflict` when `after` is ahead of the registry.
    public func timestamp(
        ensemble: String, after: String?, rollout: Int? = nil, wait: Duration, maximumBytes: Int
    ) async throws -> [UInt8] {
        var request = APIRequest(path: APIPath.tufMetadata(try checked(ensemble), "timestamp.json"))
        if let after, wait >= .seconds(1) {
            request.query = [("after", after)] + (rollout.map { [("rollout", "\($0)")] } ?? [])
            request.wait = .seconds(wait.components.seconds)
            request.headers = [("Prefer", "wait=\(wait.components.seconds)")]
        }
        return try await perform(request) { response in
            Array(try await collect(response, upTo: maximumBytes).readableBytesView)
        }
    }

    /// Streams a target. Sent once: what was received cannot be taken back.
    ///
    /// - Parameters:
    ///   - path: its path below the ensemble's targets, digest included.
    ///   - maximumBytes: longest target accepted.
    ///   - receive: called with each piece as it arrives.
    public func target(
        ensemble: String, path: String, maximumBytes: Int, _ receive: (ByteBuffer) async throws -> Void
    ) async throws {
        let request = APIRequest(path: APIPath.tufTarget(try checked(ensemble), path), isRepeatable: false)
        let response = try await perform(request) { $0 }
        var iterator = response.body.makeAsyncIterator()
        var count = 0
        while let piece = try await next(&iterator) {
            count += piece.readableBytes
            guard count <= maximumBytes else {
                throw RegistryClientError(
                    .protocolViolation, "target \(path) is longer than the \(maximumBytes) bytes signed for it")
            }
            try await receive(piece)
        }
    }

    /// Tells the registry what a node does; the newest report counts, so that sending it again is harmless.
    ///
    /// - Parameter node: the node's id, a name.
    public func reportStatus(node: String, _ status: NodeStatusRequest) async throws {
        do {
            try Name.check(node, as: "node")
        } catch {
            throw RegistryClientError(.invalidRequest, error.message, cause: error)
        }
        let body = try Array(APIJSON.encoder().encode(status))
        try await perform(APIRequest(method: .POST, path: APIPath.nodeStatus(node), content: .json(body))) { _ in }
    }
}

import AsyncHTTPClient
public import EnsembleModel
public import NIOCore

/// A body streamed to the registry, never held in memory as a whole.
public struct Upload: Sendable {
    /// Called with the bytes handed over so far; starts again from 0 when the upload is sent again.
    public typealias Progress = @Sendable (Int64) -> Void

    /// Media type, e.g. `text/csv`.
    public let contentType: String
    /// `gzip`, or nil for none.
    public let contentEncoding: String?
    /// Length in bytes as sent; nil sends in chunks.
    public let contentLength: Int64?
    /// SHA-256 of the body as sent, checked by the registry.
    public let digest: ContentDigest?
    private let makeBody: @Sendable (@escaping Progress) -> HTTPClientRequest.Body

    /// Creates an upload.
    ///
    /// - Parameter body: the bytes. Iterated once for each attempt, so it must be able to start again.
    public init<Body: AsyncSequence & Sendable>(
        _ body: Body, contentType: String, contentEncoding: String? = nil, contentLength: Int64? = nil,
        digest: ContentDigest? = nil
    ) where Body.Element == ByteBuffer {
        self.contentType = contentType
        self.contentEncoding = contentEncoding
        self.contentLength = contentLength
        self.digest = digest
        makeBody = { progress in
            .stream(MeteredBody(base: body, progress: progress), length: contentLength.map { .known($0) } ?? .unknown)
        }
    }

    func body(progress: @escaping Progress) -> HTTPClientRequest.Body { makeBody(progress) }
}

/// A body that reports how far it is and marks its own failures, to tell them from the network's.
private struct MeteredBody<Base: AsyncSequence & Sendable>: AsyncSequence, Sendable where Base.Element == ByteBuffer {
    typealias Element = ByteBuffer
    let base: Base
    let progress: Upload.Progress

    struct AsyncIterator: AsyncIteratorProtocol {
        var base: Base.AsyncIterator
        let progress: Upload.Progress
        var sent: Int64 = 0

        mutating func next() async throws -> ByteBuffer? {
            do {
                guard let chunk = try await base.next() else { return nil }
                sent += Int64(chunk.readableBytes)
                progress(sent)
                return chunk
            } catch let error as CancellationError {
                throw error
            } catch {
                throw RegistryClientError(.invalidBody, "the upload could not be read: \(error)", cause: error)
            }
        }
    }

    func makeAsyncIterator() -> AsyncIterator { AsyncIterator(base: base.makeAsyncIterator(), progress: progress) }
}

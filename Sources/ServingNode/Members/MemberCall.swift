import AsyncHTTPClient
import Foundation
import NIOCore
import NIOFoundationCompat
import NIOHTTP1

/// One call of a member, sent again once where that is safe.
struct MemberCall {
    let endpoint: MemberEndpoint
    let limits: MemberLimits
    let metrics: MemberMetrics

    /// Sends rows of one layout and reads their probabilities, N x K for all parts together.
    ///
    /// Inference changes nothing at the member, so what was lost before any of its answer came may be sent again, and
    /// so may what it turned away with 503; once, and only before the deadline.
    func send(
        _ parts: [RowSelection], classCount: Int, deadline: ContinuousClock.Instant, client: HTTPClient
    ) async -> Result<[Float], MemberFault> {
        let rowCount = parts.reduce(0) { $0 + $1.count }
        metrics.batchRows.record(Double(rowCount))
        let start = ContinuousClock.now
        defer { metrics.latency.record(since: start) }
        let body = MemberRequestBody(parts, inputs: endpoint.inputs, output: endpoint.output).bytes
        do {
            let bytes = try await post(
                body, to: endpoint.inferURL, deadline: deadline, client: client,
                byteLimit: MemberAnswer.byteLimit(rowCount: rowCount, classCount: classCount))
            let answer = try MemberAnswer(
                body: bytes, rowCount: rowCount, classCount: classCount, output: endpoint.output,
                depthLimit: limits.jsonDepth)
            metrics.calls.add("ok")
            return .success(answer.probabilities)
        } catch {
            metrics.calls.add(error.code.rawValue)
            return .failure(error)
        }
    }

    /// Posts JSON, and again where that is safe.
    func post(
        _ body: [UInt8], to url: String, deadline: ContinuousClock.Instant, client: HTTPClient, byteLimit: Int
    ) async throws(MemberFault) -> [UInt8] {
        do {
            return try await attempt(body, url, deadline, client, byteLimit)
        } catch {
            let pause: Duration
            switch error.code {
            case .unreachable: pause = .zero
            case .busy: pause = limits.retryPause * Double.random(in: 0.5...1)
            default: throw error
            }
            guard ContinuousClock.now + pause < deadline, (try? await Task.sleep(for: pause)) != nil else {
                throw error
            }
            metrics.retries.add("retry")
            return try await attempt(body, url, deadline, client, byteLimit)
        }
    }

    private func attempt(
        _ body: [UInt8], _ url: String, _ deadline: ContinuousClock.Instant, _ client: HTTPClient, _ byteLimit: Int
    ) async throws(MemberFault) -> [UInt8] {
        do {
            return try await withThrowingTaskGroup(of: [UInt8]?.self) { group in
                group.addTask { try await exchange(body, url, client, byteLimit) }
                group.addTask {
                    try await Task.sleep(until: deadline)
                    return nil
                }
                defer { group.cancelAll() }
                guard let first = try await group.next(), let bytes = first else {
                    throw MemberFault(.timeout, "it did not answer in time")
                }
                return bytes
            }
        } catch let fault as MemberFault {
            throw fault
        } catch is CancellationError {
            throw MemberFault(.queueFull, "the node is about to end")
        } catch {
            throw MemberFault(.unreachable, "it cannot be reached: \(error)")
        }
    }

    private func exchange(
        _ body: [UInt8], _ url: String, _ client: HTTPClient, _ byteLimit: Int
    ) async throws -> [UInt8] {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: "application/json")
        request.headers.add(name: "User-Agent", value: "registry-node")
        request.body = .bytes(ByteBuffer(bytes: body))
        let response = try await client.execute(request, deadline: .distantFuture)
        let status = Int(response.status.code)
        do {
            let answer = try await response.body.collect(upTo: (200..<300).contains(status) ? byteLimit : 65_536)
            guard !(200..<300).contains(status) else { return Array(answer.readableBytesView) }
        } catch is NIOTooManyBytesError {
            throw MemberFault(.badAnswer, "its answer has more than \(byteLimit) bytes")
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            // An answer had begun: not to be asked again.
            throw MemberFault(.badAnswer, "its answer broke off: \(error)")
        }
        switch status {
        case 503: throw MemberFault(.busy, "it answered 503")
        case 400..<500: throw MemberFault(.refused, "it answered \(status)")
        default: throw MemberFault(.badAnswer, "it answered \(status)")
        }
    }
}

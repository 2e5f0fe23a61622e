import NIOCore
import NIOPosix

/// One connection that does what a serving node does: polls for news, holds, polls again; after a failure it comes back
/// after a pause drawn from a range that doubles from a second to a minute.
///
/// Unchecked, since everything happens on the one event loop of the generator.
final class PolledNode: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let fleet: Fleet
    private var channel: (any Channel)?
    private var received = ByteBuffer()
    private var failures = 0
    /// `GENERATION.SEQUENCE` of the newest manifest seen.
    private(set) var position = "0.0"

    init(_ fleet: Fleet) { self.fleet = fleet }

    func connect() {
        fleet.bootstrap(self).whenComplete { result in
            switch result {
            case .success(let channel): self.channel = channel
            case .failure: self.comeBack()
            }
        }
    }

    func close() { channel?.close(promise: nil) }

    func channelActive(context: ChannelHandlerContext) {
        poll(context)
    }

    private func poll(_ context: ChannelHandlerContext) {
        var request = context.channel.allocator.buffer(capacity: 512)
        request.writeString(fleet.request(after: position))
        context.writeAndFlush(wrapOutboundOut(request), promise: nil)
        fleet.isPolling(self)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        received.writeImmutableBuffer(unwrapInboundIn(data))
        guard let answer = Answer(received) else { return }
        received.clear()
        guard answer.status == 200, let position = answer.position else {
            fleet.failures += 1
            return context.close(promise: nil)
        }
        failures = 0
        if position != self.position {
            self.position = position
            fleet.learned(position)
        }
        poll(context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        channel = nil
        received.clear()
        comeBack()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func comeBack() {
        fleet.isAway(self)
        guard !fleet.isEnding else { return }
        failures += 1
        let bound = min(60_000, 1000 << min(failures - 1, 6))
        fleet.loop.scheduleTask(in: .milliseconds(Int64.random(in: 0...Int64(bound)))) { self.connect() }
    }
}

/// A whole HTTP answer with a body of known length.
struct Answer {
    let status: Int
    /// The champion that a timestamp tells of.
    let position: String?

    /// nil until all of it is here.
    init?(_ buffer: ByteBuffer) {
        let bytes = buffer.readableBytesView
        guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
        let head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).lowercased()
        guard let status = Int(head.dropFirst(9).prefix(3)) else { return nil }
        let length =
            head.split(separator: "\r\n").first { $0.hasPrefix("content-length:") }
            .flatMap { Int($0.drop { !$0.isNumber }) } ?? 0
        guard bytes.distance(from: end.upperBound, to: bytes.endIndex) >= length else { return nil }
        self.status = status
        let body = String(decoding: bytes[end.upperBound...], as: UTF8.self)
        let numbers = ["generation", "sequence"].compactMap { Self.number(after: "\"\($0)\":", in: body) }
        position = numbers.count == 2 ? "\(numbers[0]).\(numbers[1])" : nil
    }

    private static func number(after key: String, in text: String) -> Int? {
        text.firstRange(of: key).flatMap { Int(text[$0.upperBound...].prefix { $0.isNumber }) }
    }
}

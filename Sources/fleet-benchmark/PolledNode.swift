import Foundation
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
    private var isPolling = false
    /// The newest manifest seen.
    private(set) var position = Position(generation: 0, sequence: 0)

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
        isPolling = true
        poll(context)
        fleet.isPolling()
    }

    private func poll(_ context: ChannelHandlerContext) {
        context.writeAndFlush(wrapOutboundOut(fleet.request(after: position)), promise: nil)
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
        if isPolling { fleet.isAway() }
        isPolling = false
        guard !fleet.isEnding else { return }
        failures += 1
        let bound = min(60_000, 1000 << min(failures - 1, 6))
        fleet.loop.scheduleTask(in: .milliseconds(Int64.random(in: 0...Int64(bound)))) { self.connect() }
    }
}

/// A whole HTTP answer with a body of known length.
///
/// Read with as little work as can be: the generator shares its machine with the daemon that it measures.
struct Answer {
    let status: Int
    /// The champion that a timestamp tells of.
    let position: Position?

    /// nil until all of it is here.
    init?(_ buffer: ByteBuffer) {
        let answer = buffer.withUnsafeReadableBytes { Self.read($0) }
        guard let answer else { return nil }
        (status, position) = answer
    }

    private static func read(_ bytes: UnsafeRawBufferPointer) -> (Int, Position?)? {
        guard let end = first("\r\n\r\n", in: bytes, from: 0), bytes.count > 12,
            let status = number(in: bytes, from: 9),
            let length = first("\nContent-Length: ", in: bytes, from: 0).flatMap({ number(in: bytes, from: $0) }),
            bytes.count >= end + length
        else { return nil }
        let numbers = (["\"generation\":", "\"sequence\":"] as [StaticString]).compactMap { key in
            first(key, in: bytes, from: end).flatMap { number(in: bytes, from: $0) }
        }
        return (status, numbers.count == 2 ? Position(generation: numbers[0], sequence: numbers[1]) : nil)
    }

    /// Where the first occurrence of a text ends.
    private static func first(_ text: StaticString, in bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        let length = text.utf8CodeUnitCount
        guard let base = bytes.baseAddress else { return nil }
        var index = start
        while index + length <= bytes.count,
            let found = memchr(base + index, Int32(text.utf8Start[0]), bytes.count - length - index + 1)
        {
            index = UnsafeRawPointer(found) - base
            if memcmp(base + index, text.utf8Start, length) == 0 { return index + length }
            index += 1
        }
        return nil
    }

    private static func number(in bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        var value: Int?
        for byte in bytes[start...] {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte), value ?? 0 < 1 << 40 else { break }
            value = (value ?? 0) * 10 + Int(byte - UInt8(ascii: "0"))
        }
        return value
    }
}

/// The number of a manifest.
struct Position: Hashable, CustomStringConvertible {
    let generation: Int
    let sequence: Int

    var description: String { "\(generation).\(sequence)" }
}

import HTTPTypes
public import NIOCore
public import NIOHTTPTypes

/// Closes a connection whose request was answered before it was read to its end, such as a refused upload.
///
/// Hummingbird would read such a request to its end, however long that is. The answer instead carries
/// `Connection: close`, and nothing of the request is handed on any more. What still comes is thrown away for a short
/// while: closing with bytes unread makes the kernel reset the connection, and the client could lose the answer.
public final class EarlyAnswerHandler: ChannelDuplexHandler, RemovableChannelHandler {
    public typealias InboundIn = HTTPRequestPart
    public typealias InboundOut = HTTPRequestPart
    public typealias OutboundIn = HTTPResponsePart
    public typealias OutboundOut = HTTPResponsePart

    private enum State {
        case open
        /// The head of an early answer is written, its end is not.
        case answeringEarly
        /// The answer is out; the connection waits for its end.
        case lingering
    }

    private let linger: TimeAmount
    private var state = State.open
    /// Requests that were read to their end and are not yet answered; a client may send ahead.
    private var wholeRequests = 0

    /// Creates the handler of one connection.
    ///
    /// - Parameter linger: how long the connection stays after an early answer, for the client to read it.
    public init(linger: Duration) {
        self.linger = TimeAmount(linger)
    }

    public func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard state != .lingering else { return }
        if case .end = unwrapInboundIn(data) { wholeRequests += 1 }
        context.fireChannelRead(data)
    }

    public func channelReadComplete(context: ChannelHandlerContext) {
        // Nobody else asks for more once nothing is handed on.
        if state == .lingering { context.read() }
        context.fireChannelReadComplete()
    }

    public func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if state == .lingering, case ChannelEvent.inputClosed? = event as? ChannelEvent { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }

    public func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        switch (unwrapOutboundIn(data), state) {
        case (.head(var head), .open) where wholeRequests == 0 && head.status.kind != .informational:
            state = .answeringEarly
            head.headerFields[.connection] = "close"
            context.write(wrapOutboundOut(.head(head)), promise: promise)
        case (.end, .answeringEarly):
            context.writeAndFlush(data, promise: promise)
            startLingering(context)
        case (.end, .open):
            wholeRequests -= 1
            context.write(data, promise: promise)
        default: context.write(data, promise: promise)
        }
    }

    private func startLingering(_ context: ChannelHandlerContext) {
        state = .lingering
        context.close(mode: .output, promise: nil)
        context.read()
        let channel = context.channel
        context.eventLoop.scheduleTask(in: linger) { channel.close(promise: nil) }
    }
}

@available(*, unavailable)
extension EarlyAnswerHandler: Sendable {}

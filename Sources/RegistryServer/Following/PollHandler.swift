import EnsembleModel
import HTTPTypes
import Hummingbird
import NIOCore
import NIOHTTPTypes
import RegistryStore
import Trust

/// Holds and answers polls for news on the event loop of their connection, without a task for each: ten thousand nodes
/// learn of a promotion in the time that the tasks alone would take several times.
///
/// Only the usual poll with the usual answer stays here: of a token that is known, answered with a timestamp. Every
/// other request, and a poll whose answer is not a timestamp, goes on to the routes.
final class PollHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private enum State {
        /// Requests go on to the routes.
        case passing
        /// The head of a poll is read, its end is not.
        case reading(PollRequest)
        /// A poll is held under this id, nil while that is not known yet.
        case holding(PollRequest, id: UInt64?)
    }

    private let parts: DaemonParts
    private var state = State.passing
    /// Counts the polls of the connection: an answer can come after its poll was given up.
    private var number = 0
    /// Requests that went on and are not yet answered; a client may send ahead.
    private var underWay = 0
    /// What came after the poll that is held.
    private var behind = CircularBuffer<HTTPRequestPart>()
    private var isReadWanted = false
    private var context: ChannelHandlerContext?

    /// Parts of requests that may wait behind a poll before no more is read.
    private static let mostBehind = 16

    init(parts: DaemonParts) { self.parts = parts }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }
    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    // MARK: Reading

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let part = unwrapInboundIn(data)
        if case .holding = state { behind.append(part) } else { take(part, context) }
    }

    private func take(_ part: HTTPRequestPart, _ context: ChannelHandlerContext) {
        switch (part, state) {
        case (.head(let head), _):
            if underWay == 0, let poll = PollRequest(head, limits: parts.limits), isAllowed(poll) {
                state = .reading(poll)
            } else {
                pass(part, context)
            }
        case (.end, .reading(let poll)): hold(poll, context)
        case (.body, .reading(let poll)):
            state = .passing
            pass(.head(poll.head), context)
            pass(part, context)
        default: pass(part, context)
        }
    }

    private func isAllowed(_ poll: PollRequest) -> Bool {
        guard let secret = poll.head.headerFields.bearer, let token = parts.tokens.known(secret: secret) else {
            return false
        }
        return token.hasAny(of: MetadataRoutes.scopes)
    }

    private func pass(_ part: HTTPRequestPart, _ context: ChannelHandlerContext) {
        if case .head = part { underWay += 1 }
        context.fireChannelRead(wrapInboundOut(part))
    }

    /// Nothing more is read while enough waits behind a poll.
    func read(context: ChannelHandlerContext) {
        if behind.count < Self.mostBehind { context.read() } else { isReadWanted = true }
    }

    // MARK: Holding

    private var isHolding: Bool { if case .holding = state { true } else { false } }

    private func hold(_ poll: PollRequest, _ context: ChannelHandlerContext) {
        number += 1
        state = .holding(poll, id: nil)
        let held = HeldConnection(handler: NIOLoopBound(self, eventLoop: context.eventLoop), number: number)
        let id = parts.watch.hold(
            .connection(held), poll.ensemble, after: poll.after, wait: PollRequest.holding(poll.wait))
        // Unless it is answered already.
        if isHolding { state = .holding(poll, id: id) }
    }

    /// Answers a poll, on the connection's event loop.
    ///
    /// - Parameter head: the newest head; nil when there is none or it is not known.
    fileprivate func answer(_ number: Int, with head: HeadWatch.Head?) {
        guard let context, number == self.number, case .holding(let poll, _) = state else { return }
        state = .passing
        if let head, poll.after.position <= ManifestPosition(head.head.champion) {
            write(head, to: poll, context)
        } else {
            // Whatever there is to say, the route need not wait for it.
            var request = poll.head
            request.headerFields[.prefer] = nil
            pass(.head(request), context)
            pass(.end(nil), context)
            context.fireChannelReadComplete()
        }
        takeWhatIsBehind(context)
    }

    private func write(_ head: HeadWatch.Head, to poll: PollRequest, _ context: ChannelHandlerContext) {
        var fields = head.fields
        fields[.preferenceApplied] = "wait=\(poll.wait)"
        fields[.requestID] = "\(RequestID())"
        fields[.date] = HTTPDate.now
        fields[.server] = RegistryDaemon.serverName
        context.write(wrapOutboundOut(.head(HTTPResponse(status: .ok, headerFields: fields))), promise: nil)
        context.write(wrapOutboundOut(.body(head.body)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    private func takeWhatIsBehind(_ context: ChannelHandlerContext) {
        guard !behind.isEmpty else { return }
        while !isHolding, let part = behind.popFirst() { take(part, context) }
        context.fireChannelReadComplete()
        guard isReadWanted, behind.count < Self.mostBehind else { return }
        isReadWanted = false
        context.read()
    }

    // MARK: Answers of the routes

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = unwrapOutboundIn(data) { underWay -= 1 }
        context.write(data, promise: promise)
    }

    // MARK: Ends

    /// Nobody waits for the answer any more.
    private func giveUp() -> Bool {
        guard case .holding(let poll, let id) = state else { return false }
        state = .passing
        if let id { parts.watch.abandon(id, of: poll.ensemble) }
        return true
    }

    func channelInactive(context: ChannelHandlerContext) {
        _ = giveUp()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if giveUp() { context.close(promise: nil) } else { context.fireErrorCaught(error) }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // A client that has gone looks like one that has said all it wants to.
        if case ChannelEvent.inputClosed? = event as? ChannelEvent, giveUp() {
            context.close(promise: nil)
        } else {
            context.fireUserInboundEventTriggered(event)
        }
    }
}

@available(*, unavailable)
extension PollHandler: Sendable {}

/// A poll that is held by its connection.
struct HeldConnection: Sendable {
    fileprivate let handler: NIOLoopBound<PollHandler>
    fileprivate let number: Int

    var loop: any EventLoop { handler.eventLoop }

    /// Answers it; to be called on ``loop``.
    func answer(_ head: HeadWatch.Head?) { handler.value.answer(number, with: head) }
}

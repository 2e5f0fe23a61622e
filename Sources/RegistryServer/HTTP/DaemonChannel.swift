import HTTPServing
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1

/// The daemon's connections: Hummingbird's HTTP/1.1, where polls for news are held without a task for each.
///
/// Hummingbird takes handlers of ours only before its own, which closes what looks idle; a held poll must not.
struct DaemonChannel: HTTPChannelHandler {
    let responder: Responder
    let parts: DaemonParts

    func setup(
        channel: any Channel, logger: Logger
    ) -> EventLoopFuture<NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>> {
        channel.eventLoop.makeCompletedFuture {
            let limits = parts.limits
            let pipeline = channel.pipeline.syncOperations
            var decoding = NIOHTTPDecoderLimitConfiguration()
            decoding.maxHeaderFieldSize = limits.headerBytes
            decoding.maxHeaderListSize = limits.headerBytes
            decoding.maxHeaderFieldCount = limits.headerFields
            // The handlers below put requests that came ahead in order, and Hummingbird answers errors.
            try pipeline.configureHTTPServerPipeline(
                withPipeliningAssistance: false, withErrorHandling: false, withOutboundHeaderValidation: false,
                withEncoderConfiguration: .init(), withDecoderLimitConfiguration: decoding)
            try pipeline.addHandlers(
                HTTP1ToHTTPServerCodec(secure: false), EarlyAnswerHandler(linger: limits.earlyAnswerLinger),
                HTTPConnectionStateHandler(idleTimeout: limits.idleConnection, logger: logger),
                PollHandler(parts: parts))
            return try NIOAsyncChannel(
                wrappingChannelSynchronously: channel, configuration: .init(isOutboundHalfClosureEnabled: true))
        }
    }

    func handle(value: NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>, logger: Logger) async {
        await handleHTTP(asyncChannel: value, logger: logger)
    }
}

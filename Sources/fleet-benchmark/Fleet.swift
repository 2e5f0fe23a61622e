import Foundation
import NIOCore
import NIOPosix

/// Many nodes on one event loop, and what they see. Prints a line of JSON for every event.
///
/// Unchecked, since everything happens on the loop.
final class Fleet: @unchecked Sendable {
    let loop: any EventLoop
    private let host: String
    private let port: Int
    private let ensemble: String
    private let token: String
    private let waitSeconds: Int
    private var nodes: [PolledNode] = []
    /// Nodes that hold a poll, or are about to.
    private var polling = 0
    /// Seconds since 1970 at which nodes learned of a position.
    private var learnings: [Position: [Double]] = [:]
    /// The newest request made, and what it asks for.
    private var request: (after: Position, bytes: ByteBuffer)?
    private var isWhole = false
    var failures = 0
    var isEnding = false

    init(loop: any EventLoop, host: String, port: Int, ensemble: String, token: String, waitSeconds: Int) {
        self.loop = loop
        self.host = host
        self.port = port
        self.ensemble = ensemble
        self.token = token
        self.waitSeconds = waitSeconds
    }

    /// Connects so many nodes, at a pace that a listen queue takes.
    func start(_ count: Int) {
        nodes = (0..<count).map { _ in PolledNode(self) }
        for (index, node) in nodes.enumerated() {
            loop.scheduleTask(in: .microseconds(Int64(index) * 300)) { node.connect() }
        }
    }

    func bootstrap(_ node: PolledNode) -> EventLoopFuture<any Channel> {
        ClientBootstrap(group: loop)
            .connectTimeout(.seconds(10))
            .channelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 2048))
            .channelOption(.maxMessagesPerRead, value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(node) }
            }
            .connect(host: host, port: port)
    }

    func request(after position: Position) -> ByteBuffer {
        if let request, request.after == position { return request.bytes }
        let bytes = ByteBuffer(
            string: """
                GET /tuf/\(ensemble)/metadata/timestamp.json?after=\(position) HTTP/1.1\r
                Host: \(host):\(port)\r
                Authorization: Bearer \(token)\r
                Prefer: wait=\(waitSeconds)\r
                \r\n
                """)
        request = (position, bytes)
        return bytes
    }

    /// A node that was away holds a poll.
    func isPolling() {
        polling += 1
        if polling == nodes.count, !isWhole {
            isWhole = true
            tell(["event": "whole", "at": now])
        }
    }

    /// A node that held a poll lost its connection.
    func isAway() {
        polling -= 1
        if isWhole {
            isWhole = false
            tell(["event": "broken", "at": now])
        }
    }

    func learned(_ position: Position) {
        learnings[position, default: []].append(now)
        guard let times = learnings[position], times.count == nodes.count else { return }
        learnings[position] = nil
        tell([
            "event": "learned", "position": "\(position)", "first": times[0], "median": times[times.count / 2],
            "last": times[times.count - 1], "failures": failures,
        ])
    }

    private var now: Double { Date().timeIntervalSince1970 }

    private func tell(_ event: [String: Any]) {
        guard let line = try? JSONSerialization.data(withJSONObject: event, options: .sortedKeys) else { return }
        FileHandle.standardOutput.write(line + Data("\n".utf8))
    }
}

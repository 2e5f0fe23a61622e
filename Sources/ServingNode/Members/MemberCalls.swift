import AsyncHTTPClient
import EnsembleModel
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization

/// Makes the calls to all members of a node's ensembles, as long as it runs.
final class MemberCalls: Service {
    /// What tells one member's rows from another's.
    struct Key: Hashable, Sendable {
        let ensemble: String
        let model: String
        let version: String
        let endpoint: MemberEndpoint
        let classCount: Int
    }

    private typealias Work = (lane: MemberLane, work: MemberLane.Work)

    let limits: MemberLimits
    /// The ways in use, and those let go that still have rows on them.
    private let lanes = Mutex<(used: [Key: MemberLane], retired: [MemberLane])>(([:], []))
    private let work: AsyncStream<Work>
    private let hand: AsyncStream<Work>.Continuation

    init(limits: MemberLimits) {
        self.limits = limits
        (work, hand) = AsyncStream.makeStream()
    }

    /// Makes calls until a graceful shutdown; those on their way are finished.
    func run() async throws {
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow, timeout: .init(connect: .seconds(5), read: .seconds(60)))
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = limits.batches.calls * 2
        configuration.httpVersion = .http1Only
        defer {
            hand.finish()
            for lane in lanes.withLock({ $0.used.values + $0.retired }) { lane.close() }
        }
        try await HTTPClient.withHTTPClient(configuration: configuration) { client in
            await withGracefulShutdownHandler {
                await withDiscardingTaskGroup { group in
                    for await work in work {
                        group.addTask { await work.lane.perform(work.work, with: client) }
                    }
                }
            } onGracefulShutdown: {
                self.hand.finish()
            }
        }
    }

    /// The way to a member; made when first asked for.
    func lane(_ key: Key) -> MemberLane {
        lanes.withLock { lanes in
            if let lane = lanes.used[key] { return lane }
            let hand = hand
            let lane = MemberLane(key.endpoint, classCount: key.classCount, limits: limits) { lane, work in
                if case .terminated = hand.yield((lane, work)) { false } else { true }
            }
            lanes.used[key] = lane
            return lane
        }
    }

    /// Lets go of the ways to an ensemble's members but these; requests on their way keep theirs.
    func keep(_ keys: Set<Key>, of ensemble: String) {
        lanes.withLock { lanes in
            let dropped = lanes.used.filter { $0.key.ensemble == ensemble && !keys.contains($0.key) }
            for key in dropped.keys { lanes.used[key] = nil }
            lanes.retired = (lanes.retired + dropped.values).filter { $0.waitingCount > 0 }
        }
    }

    /// The ways there are, in a fixed order.
    var all: [(key: Key, lane: MemberLane)] {
        lanes.withLock { $0.used.map { ($0.key, $0.value) } }.sorted {
            ($0.key.ensemble, $0.key.model, $0.key.version) < ($1.key.ensemble, $1.key.model, $1.key.version)
        }
    }
}

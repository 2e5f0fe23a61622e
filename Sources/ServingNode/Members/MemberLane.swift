import AsyncHTTPClient
import EnsembleModel
import Foundation
import NIOCore
import Synchronization

/// The way to one member: rows of concurrent requests are joined into calls, and a member that fails is left alone for
/// a while.
final class MemberLane: Sendable {
    /// What the lane needs to have done by its ``MemberCalls``.
    enum Work: Sendable {
        case call([Item])
        case wait(Int)
        /// Tell the member of rows that will be asked for.
        case precompute(Item, url: String)
    }

    /// Rows of one request on their way.
    struct Item: Sendable {
        let number: Int
        let rows: RowSelection
        let deadline: ContinuousClock.Instant
    }

    typealias Answer = Result<[Float], MemberFault>

    private struct State {
        var queue: BatchQueue<Item, RawRows.Layout>
        var breaker: CircuitBreaker
        var waiting: [Int: CheckedContinuation<Answer, Never>] = [:]
        var items = 0
    }

    let endpoint: MemberEndpoint
    let metrics = MemberMetrics()
    private let classCount: Int
    private let limits: MemberLimits
    private let state: Mutex<State>
    /// Hands work to ``MemberCalls``; false when that has ended.
    private let hand: @Sendable (MemberLane, Work) -> Bool

    init(
        _ endpoint: MemberEndpoint, classCount: Int, limits: MemberLimits,
        hand: @escaping @Sendable (MemberLane, Work) -> Bool
    ) {
        self.endpoint = endpoint
        self.classCount = classCount
        self.limits = limits
        self.hand = hand
        state = Mutex(State(queue: BatchQueue(limits.batches), breaker: CircuitBreaker(limits.breaker)))
    }

    /// Requests that wait for an answer.
    var waitingCount: Int { state.withLock { $0.waiting.count } }

    var breakerState: CircuitBreaker.State { state.withLock { $0.breaker.state } }

    /// A member's probabilities of some rows, N x K.
    ///
    /// - Parameter rows: at most as many as one call may have.
    func call(_ rows: RowSelection, deadline: ContinuousClock.Instant) async -> Answer {
        guard state.withLock({ $0.breaker.admit(at: .now) }) else {
            return failed(MemberFault(.breakerOpen, "it failed too often and is left alone for a while"))
        }
        return await withCheckedContinuation { continuation in
            let added = state.withLock { state -> (number: Int, actions: [BatchQueue<Item, RawRows.Layout>.Action])? in
                state.items += 1
                let item = Item(number: state.items, rows: rows, deadline: deadline)
                guard let actions = state.queue.add(item, kind: rows.source.layout, rows: rows.count) else {
                    state.breaker.abandon(at: .now)
                    return nil
                }
                state.waiting[item.number] = continuation
                return (item.number, actions)
            }
            guard let added else {
                return continuation.resume(returning: failed(MemberFault(.queueFull, "too many rows wait for it")))
            }
            perform(added.actions)
        }
    }

    /// Tells a member that declares it of rows that will be asked for, and waits until it has taken them.
    ///
    /// - Returns: why that failed; nil when it did not.
    func precompute(_ rows: RowSelection, deadline: ContinuousClock.Instant) async -> MemberFault? {
        guard let url = endpoint.precomputeURL else { return nil }
        let answer: Answer = await withCheckedContinuation { continuation in
            let item = state.withLock { state in
                state.items += 1
                state.waiting[state.items] = continuation
                return Item(number: state.items, rows: rows, deadline: deadline)
            }
            if !hand(self, .precompute(item, url: url)) { close() }
        }
        guard case .failure(let fault) = answer else { return nil }
        return fault
    }

    /// Does a piece of work that the lane handed out.
    func perform(_ work: Work, with client: HTTPClient) async {
        switch work {
        case .wait(let number):
            // A wait that is cut short by the end of the node ends like any other.
            try? await Task.sleep(for: limits.batches.wait)
            perform(state.withLock { $0.queue.waited(number) })
        case .call(let items):
            let (live, late) = items.split { $0.deadline > .now }
            if !late.isEmpty {
                if live.isEmpty { state.withLock { $0.breaker.abandon(at: .now) } }
                finish(late, .failure(MemberFault(.timeout, "it was busy until the deadline")))
            }
            if !live.isEmpty { await exchange(live, with: client) }
            perform(state.withLock { $0.queue.ended() })
        case .precompute(let item, let url):
            let call = MemberCall(endpoint: endpoint, limits: limits, metrics: metrics)
            let body = MemberRequestBody([item.rows], inputs: nil, output: nil).bytes
            do {
                _ = try await call.post(body, to: url, deadline: item.deadline, client: client, byteLimit: 1 << 20)
                finish([item], .success([]))
            } catch {
                finish([item], .failure(error))
            }
        }
    }

    /// Ends everything that waits: nobody works for the lane any more.
    func close() {
        let waiting = state.withLock { state in
            defer { state.waiting = [:] }
            return Array(state.waiting.values)
        }
        for continuation in waiting {
            continuation.resume(returning: failed(MemberFault(.queueFull, "the node is about to end")))
        }
    }

    private func perform(_ actions: [BatchQueue<Item, RawRows.Layout>.Action]) {
        for action in actions {
            let work: Work =
                switch action {
                case .call(let items): .call(items)
                case .wait(let number): .wait(number)
                }
            if !hand(self, work) { close() }
        }
    }

    /// Sends joined rows. Where one of the requests may be why that failed, each half of them is sent by itself, so
    /// that in the end only that one fails.
    private func exchange(_ items: [Item], with client: HTTPClient) async {
        let call = MemberCall(endpoint: endpoint, limits: limits, metrics: metrics)
        let parts = items.map(\.rows)
        let deadline = items.map(\.deadline).min() ?? .now
        switch await call.send(parts, classCount: classCount, deadline: deadline, client: client) {
        case .success(let values):
            state.withLock { $0.breaker.succeed() }
            var first = 0
            for item in items {
                let end = first + item.rows.count * classCount
                finish([item], proper(values[first..<end]))
                first = end
            }
        case .failure(let fault):
            state.withLock { state in
                if fault.isMembers { state.breaker.fail(at: .now) } else { state.breaker.succeed() }
            }
            guard items.count > 1, fault.mayBeOfOneRequest else { return finish(items, .failure(fault)) }
            let middle = items.count / 2
            async let left: Void = exchange(Array(items[..<middle]), with: client)
            async let right: Void = exchange(Array(items[middle...]), with: client)
            _ = await (left, right)
        }
    }

    private func proper(_ values: ArraySlice<Float>) -> Answer {
        guard let row = values.firstImproperRow(classCount: classCount) else { return .success(Array(values)) }
        return .failure(MemberFault(.badAnswer, "row \(row) of its answer is no row of probabilities"))
    }

    private func finish(_ items: [Item], _ answer: Answer) {
        for item in items {
            guard let continuation = state.withLock({ $0.waiting.removeValue(forKey: item.number) }) else { continue }
            if case .failure(let fault) = answer { _ = failed(fault) }
            continuation.resume(returning: answer)
        }
    }

    /// Counts a fault that a request meets.
    private func failed(_ fault: MemberFault) -> Answer {
        metrics.faults.add(fault.code)
        return .failure(fault)
    }
}

/// Limits of the calls to members.
struct MemberLimits: Sendable {
    /// From a request's arrival to a member's answer.
    var timeout = Duration.milliseconds(500)
    var batches = BatchLimits()
    var breaker = CircuitBreaker.Settings()
    /// Longest pause before a member that answered 503 is asked again.
    var retryPause = Duration.milliseconds(20)
    var jsonDepth = 32

    init() {}
}

extension Array {
    /// The elements that satisfy a condition, and the others.
    fileprivate func split(_ isFirst: (Element) -> Bool) -> (first: [Element], second: [Element]) {
        (filter(isFirst), filter { !isFirst($0) })
    }
}

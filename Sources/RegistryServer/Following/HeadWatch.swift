import EnsembleModel
import Foundation
import Logging
import NIOCore
import RegistryAPI
import RegistryStore
import ServiceLifecycle
import Synchronization

/// The newest heads of the ensembles that anybody asks for: one query an interval at most, however many ask.
///
/// The database is asked while there is interest only: when somebody new asks, when it notifies of a promotion, and
/// now and then, since notifications are hints and polling is the truth.
final class HeadWatch: Service {
    typealias Head = HeldPolls<Poll>.Head

    /// Who waits for news.
    enum Poll: Sendable {
        case task(CheckedContinuation<Answer, Never>)
        case connection(HeldConnection)
    }

    /// What a poll learns.
    enum Answer: Sendable {
        /// The head, or nil when nothing has been published.
        case head(Head?)
        /// It cannot be answered: its asker is gone, the daemon ends, or the database does not answer.
        case abandoned
    }

    private struct State {
        var polls: HeldPolls<Poll>
        var isEnding = false
    }

    private let store: RegistryStore
    private let limits: DaemonLimits
    private let logger: Logger
    private let state: Mutex<State>
    private let (wakes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))

    init(store: RegistryStore, limits: DaemonLimits, logger: Logger) {
        self.store = store
        self.limits = limits
        self.logger = logger
        state = Mutex(State(polls: HeldPolls(interest: limits.headInterest)))
    }

    /// The newest head of an ensemble; nil when it has published nothing.
    ///
    /// - Parameters:
    ///   - after: what the asker has; the answer waits for anything else.
    ///   - wait: how long at most; nil answers with what the database says now.
    /// - Throws: ``Problem`` `busy` when it is not known and cannot be looked up now.
    func head(of ensemble: String, after: KnownHead? = nil, wait: Duration? = nil) async throws -> Head? {
        let id = Mutex<UInt64?>(nil)
        let answer = await withTaskCancellationHandler {
            await withCheckedContinuation { task in
                let held = hold(.task(task), ensemble, after: after, wait: wait)
                id.withLock { $0 = held }
                if let held, Task.isCancelled { abandon(held, of: ensemble) }
            }
        } onCancel: {
            if let held = id.withLock(\.self) { abandon(held, of: ensemble) }
        }
        guard case .head(let head) = answer else {
            throw Problem(.busy, detail: "the newest manifest cannot be looked up now; ask again")
        }
        return head
    }

    /// Answers a poll, or holds it and gives its id; a connection's poll on its event loop.
    func hold(_ poll: Poll, _ ensemble: String, after: KnownHead?, wait: Duration?) -> UInt64? {
        let now = ContinuousClock.now
        let admission = state.withLock { state in
            let deadline = state.isEnding ? nil : wait.map { now + $0 }
            let admission = state.polls.ask(ensemble, after: after, until: deadline, at: now, poll)
            guard case .held(let id, _) = admission, state.isEnding else { return Optional(admission) }
            _ = state.polls.abandon(id, of: ensemble)
            return nil
        }
        switch admission {
        case .answer(let head): Self.resume(poll, .head(head))
        case nil: Self.resume(poll, .abandoned)
        case .held(let id, let needsLook):
            if needsLook { wake.yield() }
            return id
        }
        return nil
    }

    /// Gives up a poll whose asker is gone.
    func abandon(_ id: UInt64, of ensemble: String) {
        guard let poll = state.withLock({ $0.polls.abandon(id, of: ensemble) }) else { return }
        Self.resume(poll, .abandoned)
    }

    /// Answers a poll; a connection's on its event loop.
    private static func resume(_ poll: Poll, _ answer: Answer) {
        switch (poll, answer) {
        case (.task(let task), _): task.resume(returning: answer)
        case (.connection(let held), .head(let head)): held.answer(head)
        case (.connection(let held), .abandoned): held.answer(nil)
        }
    }

    /// Polls held now.
    var heldPolls: Int { state.withLock(\.polls.count) }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.tick() }
                group.addTask { await self.listen() }
                await self.watch()
                group.cancelAll()
            }
        }
        // Answered now, so that the shutdown does not cut them off; their nodes come back after pauses of their own.
        let answers = state.withLock { state in
            state.isEnding = true
            return state.polls.drain()
        }
        answer(answers.map { ($0, .head($1)) })
    }

    private func watch() async {
        var isFailing = false
        for await _ in wakes {
            if Task.isCancelled { return }
            let names = state.withLock { $0.polls.names(at: .now) }
            guard !names.isEmpty else { continue }
            do {
                let heads = try await store.metadataHeads(of: names)
                answer(state.withLock { $0.polls.look(at: names, found: heads, now: .now) }.map { ($0, .head($1)) })
                if isFailing { logger.notice("The newest manifests are known again") }
                isFailing = false
            } catch {
                if Task.isCancelled { return }
                // Once a row of failures; polls whose time is over get what is known.
                if !isFailing {
                    logger.warning("The newest manifests cannot be looked up", metadata: ["error": "\(error)"])
                }
                isFailing = true
                let (answers, unanswerable) = state.withLock { $0.polls.expire(at: .now) }
                answer(answers.map { ($0, .head($1)) } + unanswerable.map { ($0, .abandoned) })
            }
            try? await Task.sleep(for: limits.headInterval)  // Throws only when cancelled.
        }
    }

    /// Looks now and then: a notification can be lost, and a poll's time can be over.
    private func tick() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: limits.headTick)  // Throws only when cancelled.
            wake.yield()
        }
    }

    private func listen() async {
        do {
            for try await _ in store.promotionHints() { wake.yield() }
        } catch {
            logger.warning("No notifications of promotions: they are found by polling", metadata: ["error": "\(error)"])
        }
    }

    /// Answers polls from any thread: those of an event loop's connections all at once.
    private func answer(_ answers: [(Poll, Answer)]) {
        var connections: [ObjectIdentifier: (loop: any EventLoop, answers: [(Poll, Answer)])] = [:]
        for (poll, answer) in answers {
            guard case .connection(let held) = poll else {
                Self.resume(poll, answer)
                continue
            }
            connections[ObjectIdentifier(held.loop), default: (held.loop, [])].answers.append((poll, answer))
        }
        for (loop, answers) in connections.values {
            loop.execute { for (poll, answer) in answers { Self.resume(poll, answer) } }
        }
    }
}

import CLibpq
import DequeModule
import Glibc
import Synchronization

/// One thread that waits for the sockets and deadlines of all connections of a client, and on which their actors run.
///
/// The thread starts with the first piece of work and ends with `stop()`. Afterwards work still runs, on whichever
/// thread brings it, one piece at a time: a task that awaits one of the actors after shutdown must not hang.
// Unchecked: `shared` is guarded by its mutex; everything under "confined" is touched only by the thread that runs
// work, and there is never more than one (the loop's thread, then after `stop()` the one that drains the queue).
final class EventLoop: SerialExecutor, @unchecked Sendable {
    private let threadName: String

    private enum Work {
        case job(UnownedJob)
        case call(@Sendable () -> Void)
    }

    private enum Phase {
        case idle
        case running(NativeThread)
        case stopped
    }

    private struct Shared {
        var queue = Deque<Work>()
        var phase = Phase.idle
        var isAsleep = false
        var isDraining = false
        var isStopRequested = false
        /// Threads that still run a blocking call, such as delivering a cancel request.
        var offloaded = 0
        /// Who runs work now.
        var runner: pthread_t?
        var stopWaiters: [UnsafeContinuation<Void, Never>] = []
    }

    private let shared = Mutex(Shared())
    private let poll = epoll_create1(Int32(EPOLL_CLOEXEC))
    private let wake = eventfd(0, Int32(EFD_NONBLOCK) | Int32(EFD_CLOEXEC))

    // Confined.
    private var handlers: [Int32: (UInt32) -> Void] = [:]
    private var timers = TimerQueue()

    /// - Parameter name: shown in the thread's name, as far as the system's 15 bytes go.
    init(name: String) {
        threadName = String(decoding: "pg-\(name)".utf8.prefix(15), as: UTF8.self)
        var event = epoll_event()
        event.events = EPOLLIN.rawValue
        event.data.fd = wake
        epoll_ctl(poll, EPOLL_CTL_ADD, wake, &event)
    }

    deinit {
        close(poll)
        close(wake)
    }

    // MARK: Work

    func enqueue(_ job: consuming ExecutorJob) {
        // The caller holds the loop only through the job's task, which may end, and with it the last client, before
        // this returns.
        let loop = Unmanaged.passRetained(self)
        defer { loop.release() }
        submit(.job(UnownedJob(job)))
    }

    func asUnownedSerialExecutor() -> UnownedSerialExecutor {
        UnownedSerialExecutor(ordinary: self)
    }

    func checkIsolated() {
        precondition(isIsolatingCurrentContext() == true, "not on the event loop's thread")
    }

    func isIsolatingCurrentContext() -> Bool? {
        shared.withLock { shared in shared.runner.map { pthread_equal($0, pthread_self()) != 0 } ?? false }
    }

    /// Runs `body` on the loop after the work already queued.
    func submit(_ body: @escaping @Sendable () -> Void) {
        submit(.call(body))
    }

    private func submit(_ work: Work) {
        enum Next { case nothing, wake, drain }
        let next = shared.withLock { shared -> Next in
            shared.queue.append(work)
            switch shared.phase {
            case .idle:
                shared.phase = .running(startThread())
                return .nothing
            case .running:
                guard shared.isAsleep else { return .nothing }
                shared.isAsleep = false
                return .wake
            case .stopped:
                guard !shared.isDraining else { return .nothing }
                shared.isDraining = true
                return .drain
            }
        }
        switch next {
        case .nothing: break
        case .wake: eventfd_write(wake, 1)
        case .drain: drain()
        }
    }

    private func startThread() -> NativeThread {
        // The thread keeps the loop alive until it is told to stop.
        NativeThread(name: threadName) { self.run() }
    }

    private func perform(_ work: Work) {
        switch work {
        case .job(let job): job.runSynchronously(on: asUnownedSerialExecutor())
        case .call(let body): body()
        }
    }

    // MARK: The thread

    private func run() {
        shared.withLock { $0.runner = pthread_self() }
        var batch = Deque<Work>()
        var events = [epoll_event](repeating: epoll_event(), count: 64)
        while true {
            let isFinished = shared.withLock { shared in
                swap(&batch, &shared.queue)
                return batch.isEmpty && shared.isStopRequested && shared.offloaded == 0
            }
            if isFinished { break }
            while let work = batch.popFirst() { perform(work) }
            while let action = timers.popDue(at: MonotonicTime.now()) { action() }
            waitForEvents(&events)
        }
        handlers.removeAll()
        timers.removeAll()
        finish()
    }

    private func waitForEvents(_ events: inout [epoll_event]) {
        let isIdle = shared.withLock { shared in
            shared.isAsleep = shared.queue.isEmpty && !(shared.isStopRequested && shared.offloaded == 0)
            return shared.isAsleep
        }
        var timeout: Int32 = 0
        if isIdle {
            timeout =
                timers.next.map { Int32(clamping: ($0.nanoseconds - MonotonicTime.now().nanoseconds) / 1_000_000 + 1) }
                ?? -1
        }
        let count = epoll_wait(poll, &events, Int32(events.count), max(timeout, -1))
        shared.withLock { $0.isAsleep = false }
        guard count > 0 else { return }
        for event in events[..<Int(count)] {
            let descriptor = event.data.fd
            if descriptor == wake {
                var value: eventfd_t = 0
                eventfd_read(wake, &value)
            } else {
                handlers[descriptor]?(event.events)
            }
        }
    }

    private func finish() {
        let waiters = shared.withLock { shared in
            shared.runner = nil
            shared.phase = .stopped
            shared.isDraining = true
            defer { shared.stopWaiters = [] }
            return shared.stopWaiters
        }
        drain()
        for waiter in waiters { waiter.resume() }
    }

    /// Runs what was queued after the thread's end; called by the one that set `isDraining`.
    private func drain() {
        while true {
            let work = shared.withLock { shared -> Work? in
                guard let work = shared.queue.popFirst() else {
                    shared.isDraining = false
                    shared.runner = nil
                    return nil
                }
                shared.runner = pthread_self()
                return work
            }
            guard let work else { return }
            perform(work)
        }
    }

    // MARK: Stopping

    /// Ends the thread once the queued work and the offloaded calls are done. Does not wait.
    func requestStop() {
        let mustWake = shared.withLock { shared -> Bool in
            shared.isStopRequested = true
            if case .idle = shared.phase { shared.phase = .stopped }
            defer { shared.isAsleep = false }
            return shared.isAsleep
        }
        if mustWake { eventfd_write(wake, 1) }
    }

    /// Ends the thread and returns when it is gone. Not to be called twice, nor from the loop.
    func stop() async {
        requestStop()
        let thread = shared.withLock { shared -> NativeThread? in
            guard case .running(let thread) = shared.phase else { return nil }
            return thread
        }
        guard let thread else { return }
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            let isOver = shared.withLock { shared -> Bool in
                if case .stopped = shared.phase { return true }
                shared.stopWaiters.append(continuation)
                return false
            }
            if isOver { continuation.resume() }
        }
        thread.join()
    }
}

// MARK: - Confined to the loop

extension EventLoop {
    /// Calls `handler` on the loop whenever one of `events` (an epoll mask) holds for the descriptor.
    func watch(_ descriptor: Int32, _ events: UInt32, _ handler: @escaping (UInt32) -> Void) {
        checkIsolated()
        handlers[descriptor] = handler
        control(EPOLL_CTL_ADD, descriptor, events)
    }

    func rearm(_ descriptor: Int32, _ events: UInt32) {
        control(EPOLL_CTL_MOD, descriptor, events)
    }

    func unwatch(_ descriptor: Int32) {
        checkIsolated()
        handlers[descriptor] = nil
        control(EPOLL_CTL_DEL, descriptor, 0)
    }

    private func control(_ operation: Int32, _ descriptor: Int32, _ events: UInt32) {
        var event = epoll_event()
        event.events = events
        event.data.fd = descriptor
        epoll_ctl(poll, operation, descriptor, &event)
    }

    /// Calls `action` on the loop when `delay` is over.
    func schedule(after delay: Duration, _ action: @escaping () -> Void) -> TimerQueue.Token {
        timers.insert(at: MonotonicTime.now() + delay, action)
    }

    func cancel(_ timer: TimerQueue.Token) {
        timers.remove(timer)
    }

    /// Runs a blocking call on a thread of its own, and `completion` on the loop when it has returned.
    func offload<Result: Sendable>(
        name: String, _ body: @escaping @Sendable () -> Result, completion: @escaping @Sendable (Result) -> Void
    ) {
        shared.withLock { $0.offloaded += 1 }
        let box = Mutex<NativeThread?>(nil)
        box.withLock { thread in
            thread = NativeThread(name: name) {
                let result = body()
                self.submit {
                    // The thread's last act was to submit this, so joining takes no time.
                    box.withLock { $0 }?.join()
                    self.shared.withLock { $0.offloaded -= 1 }
                    completion(result)
                }
            }
        }
    }
}

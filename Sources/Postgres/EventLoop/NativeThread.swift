import CLibpq
import Glibc
import Synchronization

/// A named operating system thread that runs one closure. Dropped without a join, it is detached.
final class NativeThread: Sendable {
    private final class Body: Sendable {
        let name: String
        let run: @Sendable () -> Void

        init(name: String, run: @escaping @Sendable () -> Void) {
            self.name = name
            self.run = run
        }
    }

    private let identifier: Mutex<pthread_t?>

    /// - Parameter name: at most 15 bytes, as shown in `/proc/self/task/*/comm`.
    init(name: String, _ body: @escaping @Sendable () -> Void) {
        var thread = pthread_t()
        let argument = Unmanaged.passRetained(Body(name: name, run: body))
        let status = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                let body = Unmanaged<Body>.fromOpaque(argument).takeRetainedValue()
                pthread_setname_np(pthread_self(), body.name)
                body.run()
                return nil
            }, argument.toOpaque())
        // Without its thread a client can neither work nor report: the machine is out of threads or memory.
        precondition(status == 0, "cannot create a thread (errno \(status))")
        identifier = Mutex(thread)
    }

    deinit {
        if let thread = identifier.withLock({ $0 }) { pthread_detach(thread) }
    }

    /// Waits for the thread's end. The second call does nothing.
    func join() {
        let thread = identifier.withLock { identifier in
            defer { identifier = nil }
            return identifier
        }
        if let thread { pthread_join(thread, nil) }
    }
}

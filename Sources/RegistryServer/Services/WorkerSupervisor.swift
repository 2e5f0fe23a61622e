import Foundation
import Logging
import RegistryStore
import ServiceLifecycle
import Synchronization

/// Runs a worker as a child process and starts it again when it dies.
///
/// Workers are processes of their own because they load LightGBM, which needs its environment set before start, and
/// because a crash of theirs must not take the daemon along. The child's standard input is a pipe from the daemon: its
/// end tells the worker that the daemon is gone, however it went.
struct WorkerSupervisor: Service {
    /// What to start.
    struct Command: Sendable {
        var executable: String
        var arguments: [String]
        var environment: [String: String]
    }

    let name: String
    let command: Command
    let store: RegistryStore
    let shutdownGrace: Duration
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            let delays = BackoffDelays(first: .milliseconds(200), last: .seconds(30))
            var failures = 0
            while !Task.isCancelled {
                let started = ContinuousClock.now
                do {
                    let status = try await runOnce()
                    if Task.isCancelled { return }
                    logger.error("Worker ended", metadata: ["worker": "\(name)", "status": "\(status)"])
                } catch {
                    logger.error("Worker could not be started", metadata: ["worker": "\(name)", "error": "\(error)"])
                }
                await abandonWork()
                failures = ContinuousClock.now - started > .seconds(60) ? 0 : failures + 1
                // Throws only when the shutdown cancels it.
                try? await Task.sleep(for: delays.delay(afterFailures: failures))
            }
        }
    }

    /// Frees what the dead worker held, so that its work need not wait for the lease to expire.
    private func abandonWork() async {
        do {
            try await store.abandonLeases(worker: name)
        } catch {
            logger.warning("Leases stay until they expire", metadata: ["worker": "\(name)", "error": "\(error)"])
        }
    }

    /// Starts the child and waits for its end; on cancellation asks it to end, then makes it.
    private func runOnce() async throws -> Int32 {
        let child = Process()
        child.executableURL = URL(fileURLWithPath: command.executable)
        child.arguments = command.arguments
        child.environment = command.environment
        let lifeline = Pipe()
        child.standardInput = lifeline
        let ended = AsyncStream<Int32>.makeStream()
        child.terminationHandler = { process in
            ended.continuation.yield(process.terminationStatus)
            ended.continuation.finish()
        }
        try child.run()
        // The daemon must not hold the end that the child reads, or the child would never see it close.
        try lifeline.fileHandleForReading.close()
        logger.info("Worker started", metadata: ["worker": "\(name)", "pid": "\(child.processIdentifier)"])
        let pid = child.processIdentifier
        let status = await withTaskCancellationHandler {
            await ended.stream.first { _ in true }
        } onCancel: {
            kill(pid, SIGTERM)
        }
        if let status { return status }
        // Cancelled: the stream ended without the status. Wait for the end itself, with a limit.
        return await Self.waitForEnd(of: child, grace: shutdownGrace)
    }

    private static func waitForEnd(of child: Process, grace: Duration) async -> Int32 {
        await Task.detached {
            let deadline = ContinuousClock.now + grace
            while child.isRunning, ContinuousClock.now < deadline { try? await Task.sleep(for: .milliseconds(20)) }
            if child.isRunning { kill(child.processIdentifier, SIGKILL) }
            child.waitUntilExit()
            return child.terminationStatus
        }.value
    }
}

/// Growing waits between restarts: doubled each time up to a limit.
struct BackoffDelays: Sendable {
    let first: Duration
    let last: Duration

    func delay(afterFailures failures: Int) -> Duration {
        guard failures > 0 else { return first }
        return min(last, first * (1 << min(failures - 1, 20)))
    }
}

import Foundation

/// Runs long computations outside the cooperative pool, whose few threads must stay free for waiting tasks.
enum ComputeThread {
    /// Runs a closure on a new thread and waits for its result.
    static func run<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try await withCheckedThrowingContinuation { continuation in
            let thread = Thread { continuation.resume(with: Swift.Result { try body() }) }
            thread.name = "evaluation"
            thread.stackSize = 8 << 20
            thread.start()
        }
    }
}

import Synchronization

/// Bounds the memory that request bodies take together: each is held whole while it is parsed.
final class ByteBudget: Sendable {
    private let limit: Int
    private let used = Mutex(0)

    init(limit: Int) { self.limit = limit }

    /// Runs `body` with a share of the budget.
    ///
    /// - Throws: ``NodeError`` with code `busy` when so much is not left.
    func with<Result>(_ bytes: Int, _ body: () async throws -> Result) async throws -> Result {
        try used.withLock { used throws(NodeError) in
            guard used + bytes <= limit else {
                throw NodeError(.busy, "the node has too many large requests in hand: try again")
            }
            used += bytes
        }
        defer { used.withLock { $0 -= bytes } }
        return try await body()
    }
}

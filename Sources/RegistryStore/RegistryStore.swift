import EnsembleModel
public import Logging
public import Postgres

/// The registry's state in Postgres: the only place that knows SQL.
///
/// A value without state of its own: copies share the client's connection pool. Every method throws ``StoreError``, and
/// `EnsembleModelError` for values that are not valid by themselves. What a method writes is committed whole or not
/// at all. Transactions lock in the order ensemble head, evaluation, audit chain.
public struct RegistryStore: Sendable {
    /// The channel notified after a promotion, without a payload: a hint to look, never the truth.
    public static let promotionChannel = "registry_promotion"

    let client: PostgresClient
    let logger: Logger
    /// Signs what is published; nil in a process that publishes nothing.
    let signer: (any MetadataSigner)?

    /// Creates a store over a running client.
    ///
    /// - Parameter signer: signs what is published; without one, nothing can be.
    public init(client: PostgresClient, logger: Logger, signer: (any MetadataSigner)? = nil) {
        self.client = client
        self.logger = logger
        self.signer = signer
    }

    /// Runs one statement and reads its rows.
    func query<Value>(_ statement: SQL, _ read: (Row) throws -> Value) async throws -> [Value] {
        try await StoreError.translating { try await client.query(statement).map(read) }
    }

    /// Runs `body` in one READ COMMITTED transaction: committed when it returns, rolled back when it throws.
    nonisolated(nonsending) func transaction<Result: Sendable>(
        _ body: nonisolated(nonsending) (Connection) async throws -> Result
    ) async throws -> Result {
        try await StoreError.translating { try await client.transaction(body) }
    }
}

/// Bounds of what one call reads.
enum StoreLimits {
    /// Most records of a page.
    static let page = 1000
    /// Rows of a block of validation rows or predictions.
    static let blockRows = 65_536
    /// Attempts before an evaluation is given up.
    static let attempts = EvaluationRecord.maximumAttempts
    /// Longest reason of a failure kept, in characters.
    static let failureLength = 2000

    static func page(_ limit: Int) -> Int { min(max(limit, 1), page) }
}

import Postgres

extension RegistryStore {
    /// Ends the leases of a worker that is known to be dead: what it held can be taken over at once. The attempts
    /// count.
    ///
    /// - Returns: how many it held.
    @discardableResult
    public func abandonLeases(worker: String) async throws -> Int {
        try await transaction { connection in
            try await connection.execute(
                "UPDATE evaluation SET lease_expires_at = now() WHERE state = 'evaluating' AND worker = \(worker)")
        }
    }
}

import CLibpq

extension Session {
    /// A message of a pipeline, whose results come in the same order.
    private enum Step {
        /// BEGIN, DEALLOCATE.
        case auxiliary
        case prepare(StatementCache.Key)
        case execute
    }

    /// Runs statements for the holder of a lease, all in one round trip. Outside of a transaction all or none take
    /// effect.
    func run(_ statements: [SQL], lease: Int, timeout: Duration?) async throws -> [ResultSet] {
        try await check(lease: lease)
        return try await perform(timeout: timeout ?? configuration.statementTimeout) {
            let isAlone = try self.pendingBegin == nil && self.transactionStatus == PQTRANS_IDLE
            do {
                return try await self.exchange(statements)
            } catch let error as PostgresError where isAlone && Self.isStale(error) {
                // The server forgot a prepared statement (DISCARD ALL), or a table has changed under it. Nothing was
                // done, so prepare it again; within a transaction that would be too late.
                return try await self.exchange(statements)
            }
        }
    }

    /// Runs a statement of ours without parameters, unprepared.
    func command(_ text: String) async throws -> ResultSet? {
        try setPipelined(true)
        wire = .pipeline
        try checkSent(PQsendQueryParams(try pointer, text, 0, nil, nil, nil, nil, 1))
        return try await collect([.execute]).first
    }

    /// Makes a held-back BEGIN take effect.
    func sendPendingBegin() async throws {
        guard let begin = pendingBegin else { return }
        pendingBegin = nil
        _ = try await command(begin)
    }

    /// Sends COMMIT. Not cancelled with the task: the outcome would be unknown.
    func commit(lease: Int) async throws {
        try await check(lease: lease)
        guard pendingBegin == nil else {
            pendingBegin = nil
            return
        }
        try await perform(timeout: configuration.statementTimeout, isCancellable: false) {
            guard try self.transactionStatus != PQTRANS_IDLE else {
                throw PostgresError(.misuse, "The transaction was ended inside its closure; leave that to the client.")
            }
            guard try await self.command("COMMIT")?.command == "COMMIT" else {
                throw PostgresError(
                    .server(.inFailedTransaction), "The transaction was rolled back: a statement in it failed.")
            }
        }
    }

    /// Makes the next statement begin a transaction.
    func begin(_ text: String, lease: Int) async throws {
        try await check(lease: lease)
        pendingBegin = text
    }

    /// Sends ROLLBACK, also when the task is cancelled. A connection that does not take it is closed.
    func rollback(lease: Int) async {
        guard lease == self.lease else { return }
        guard pendingBegin == nil else {
            pendingBegin = nil
            return
        }
        do {
            try await check(lease: lease)
            try await perform(timeout: Self.drainTimeout, isCancellable: false) {
                _ = try await self.command("ROLLBACK")
            }
        } catch {
            close()
        }
    }

    /// Undoes what was done since the innermost savepoint, also when the task is cancelled.
    func rollbackToSavepoint(lease: Int) async throws {
        try await check(lease: lease)
        try await perform(timeout: configuration.statementTimeout, isCancellable: false) {
            _ = try await self.command("ROLLBACK TO SAVEPOINT nested")
            _ = try await self.command("RELEASE SAVEPOINT nested")
        }
    }

    /// Runs many statements in the simple protocol; their rows are dropped.
    func script(_ text: String, lease: Int, timeout: Duration?) async throws {
        try await check(lease: lease)
        try check(text: text)
        try await perform(timeout: timeout ?? configuration.statementTimeout) {
            try await self.sendPendingBegin()
            try self.setPipelined(false)
            self.wire = .simple
            try self.checkSent(PQsendQuery(try self.pointer, text))
            try await self.flush()
            var failure: PostgresError?
            while let result = try await self.nextResult() {
                if result.isCopy { throw PostgresError.strayCopy }
                failure = failure ?? result.error
            }
            self.wire = .idle
            if let failure { throw failure.orLost }
        }
    }

    // MARK: The exchange

    /// True for the errors that a prepared statement causes which the server does not have or cannot use any more.
    private static func isStale(_ error: PostgresError) -> Bool {
        error.sqlState == .featureNotSupported || error.sqlState == .invalidStatementName
    }

    private func exchange(_ statements: [SQL]) async throws -> [ResultSet] {
        try setPipelined(true)
        for statement in statements {
            try check(text: statement.text)
            guard statement.bytes.count <= 1 << 30, statement.parameters.count <= Int(UInt16.max) else {
                throw PostgresError(.misuse, "A statement has more parameters than the server takes: 65535, of 1 GB.")
            }
        }
        wire = .pipeline
        var steps: [Step] = []
        if let begin = pendingBegin {
            try checkSent(PQsendQueryParams(try pointer, begin, 0, nil, nil, nil, nil, 1))
            steps.append(.auxiliary)
            pendingBegin = nil
        }
        if mustForgetStatements, try transactionStatus != PQTRANS_INERROR {
            try checkSent(PQsendQueryParams(try pointer, "DEALLOCATE ALL", 0, nil, nil, nil, nil, 1))
            steps.append(.auxiliary)
            self.statements.removeAll()
            mustForgetStatements = false
        }
        for statement in statements { try send(statement, &steps) }
        return try await collect(steps)
    }

    private func send(_ statement: SQL, _ steps: inout [Step]) throws {
        let pointer = try pointer
        let key = StatementCache.Key(text: statement.text, types: statement.parameters.map(\.type))
        var name: String?
        // In a failed transaction nothing can be prepared or deallocated: send the statement, which the server refuses
        // unless it ends the transaction.
        if try transactionStatus != PQTRANS_INERROR {
            switch statements.use(key) {
            case .prepared(let prepared): name = prepared
            case .missing(let missing, let evicted):
                name = missing
                if let evicted {
                    try checkSent(PQsendQueryParams(pointer, "DEALLOCATE \(evicted)", 0, nil, nil, nil, nil, 1))
                    steps.append(.auxiliary)
                }
                let types = key.types.map(\.rawValue)
                try checkSent(PQsendPrepare(pointer, missing, key.text, Int32(types.count), types))
                steps.append(.prepare(key))
            }
        }
        try checkSent(
            statement.withArguments { count, values, lengths, formats in
                if let name {
                    PQsendQueryPrepared(pointer, name, count, values, lengths, formats, 1)
                } else {
                    PQsendQueryParams(pointer, key.text, count, key.types.map(\.rawValue), values, lengths, formats, 1)
                }
            })
        steps.append(.execute)
    }

    /// Ends the pipeline and reads all its results.
    private func collect(_ steps: [Step]) async throws -> [ResultSet] {
        guard PQpipelineSync(try pointer) == 1 else { throw PostgresError.connectionLost }
        var results: [ResultSet] = []
        var failure: PostgresError?
        var unconfirmed = steps[...]
        defer {
            for case .prepare(let key) in unconfirmed { statements.remove(key) }
        }
        try await flush()
        for step in steps {
            while let result = try await nextResult() {
                if result.isCopy { throw PostgresError.strayCopy }
                failure = failure ?? result.error
                if case .execute = step { results.append(result) }
            }
            if failure == nil { unconfirmed.removeFirst() }
        }
        guard try await nextResult()?.status == PGRES_PIPELINE_SYNC else { throw PostgresError.connectionLost }
        wire = .idle
        guard let failure else { return results }
        mustForgetStatements = Self.isStale(failure)
        throw failure.orLost
    }

    func checkSent(_ status: Int32) throws {
        // libpq refuses to queue only when it is out of memory or the connection is broken.
        guard status == 1 else { throw PostgresError.connectionLost }
    }
}

extension PostgresError {
    /// An error after which the server closes the connection, as the loss that it is.
    var orLost: PostgresError {
        switch sqlState {
        case .adminShutdown, .cannotConnectNow, SQLState(rawValue: "57P02"), SQLState(rawValue: "57P05"):
            PostgresError(.connectionLost, PostgresError.connectionLost.message, cause: self)
        default: self
        }
    }
}

extension SQL {
    /// Calls `body` with libpq's arrays: values, lengths and formats (all binary).
    func withArguments<Result>(
        _ body: (Int32, UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int32>?, UnsafePointer<Int32>?) throws ->
            Result
    ) rethrows -> Result {
        let lengths = parameters.map { Int32($0.range?.count ?? 0) }
        let formats = [Int32](repeating: 1, count: parameters.count)
        return try bytes.withUnsafeBytes { bytes in
            try withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1) { nothing in
                let values = parameters.map { parameter -> UnsafePointer<CChar>? in
                    guard let range = parameter.range else { return nil }
                    // An empty value needs an address too: none means NULL.
                    guard let base = bytes.baseAddress else { return UnsafePointer(nothing.baseAddress) }
                    return (base + range.lowerBound).assumingMemoryBound(to: CChar.self)
                }
                return try body(Int32(parameters.count), values, lengths, formats)
            }
        }
    }
}

import CLibpq
import Glibc

/// A COPY in progress.
struct CopyState {
    var columnCount: Int
    var decoder = CopyDecoder()
    /// Nobody reads the rest.
    var isAbandoned = false
}

extension Session {
    /// How much of a COPY OUT is handed over at once.
    private static let batchLimit = 1 << 20
    /// How much of a COPY IN is given to libpq at once.
    private static let messageLimit = 1 << 22

    /// Sends a COPY statement; from then on the connection belongs to the COPY. Returns the number of columns.
    func beginCopy(_ text: String, into direction: Wire, lease: Int) async throws -> Int {
        try await check(lease: lease)
        try check(text: text)
        return try await perform(timeout: configuration.statementTimeout) {
            try await self.sendPendingBegin()
            try self.setPipelined(false)
            self.wire = .simple
            try self.checkSent(PQsendQuery(try self.pointer, text))
            try await self.flush()
            let expected = direction == .copyIn ? PGRES_COPY_IN : PGRES_COPY_OUT
            let result = try await self.nextResult()
            guard let result, result.status == expected else {
                if result?.isCopy == true { throw PostgresError.strayCopy }
                try await self.drain()
                throw result?.error?.orLost ?? PostgresError(.misuse, "The statement is no COPY.")
            }
            self.wire = direction
            self.copy = CopyState(columnCount: result.columnCount)
            guard result.isBinary else {
                try await self.abandonCopy()
                throw PostgresError(.misuse, "The COPY is not binary; add (FORMAT binary).")
            }
            return result.columnCount
        }
    }

    /// Sends a chunk and waits until the socket has taken it: back-pressure for the producer.
    func sendCopy(_ chunk: [UInt8], lease: Int) async throws {
        try await check(lease: lease, isCopy: true)
        try await perform(timeout: configuration.statementTimeout) {
            try await self.put(chunk)
        }
    }

    private func put(_ chunk: [UInt8]) async throws {
        // In parts, since libpq's buffer keeps the size that it once had.
        var rest = chunk[...]
        while !rest.isEmpty {
            let part = rest.prefix(Self.messageLimit)
            rest = rest.dropFirst(part.count)
            let pointer = try pointer
            let status = part.withUnsafeBytes { bytes in
                PQputCopyData(pointer, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(bytes.count))
            }
            guard status == 1 else { throw try await endedCopy() }
            try await flush()
        }
    }

    /// Why the server ended a COPY IN early.
    private func endedCopy() async throws -> PostgresError {
        var failure: PostgresError?
        wire = .simple
        while let result = try await nextResult() { failure = failure ?? result.error }
        wire = .idle
        copy = nil
        return failure?.orLost ?? .connectionLost
    }

    /// Sends the last chunk and the end. Returns how many rows the server has stored.
    func finishCopyIn(_ chunk: [UInt8], lease: Int) async throws -> Int {
        try await check(lease: lease, isCopy: true)
        return try await perform(timeout: configuration.statementTimeout) {
            try await self.put(chunk)
            guard PQputCopyEnd(try self.pointer, nil) == 1 else { throw try await self.endedCopy() }
            self.wire = .simple
            try await self.flush()
            var failure: PostgresError?
            var rows = 0
            while let result = try await self.nextResult() {
                failure = failure ?? result.error
                rows = max(rows, result.affectedRows)
            }
            self.wire = .idle
            self.copy = nil
            if let failure { throw failure.orLost }
            return rows
        }
    }

    /// Gives up a COPY IN; nothing of it is stored.
    func abortCopyIn(lease: Int) async {
        guard lease == self.lease, wire == .copyIn else { return }
        try? await perform(timeout: Self.drainTimeout, isCancellable: false) { try await self.drain() }
        if wire != .idle { close() }
    }

    /// The next rows of a COPY OUT, some as soon as there are any; nil after the last.
    func readCopy(lease: Int) async throws -> [CopyTuple]? {
        try await check(lease: lease, isCopy: true)
        guard wire == .copyOut else { return nil }
        return try await perform(timeout: configuration.statementTimeout) {
            var rows: [CopyTuple] = []
            var size = 0
            while size < Self.batchLimit {
                var buffer: UnsafeMutablePointer<CChar>?
                let count = PQgetCopyData(try self.pointer, &buffer, 1)
                if count > 0, let buffer {
                    let message = CopyMessage(buffer, count: Int(count))
                    guard let decoded = self.copy?.decoder.rows(of: message) else {
                        throw PostgresError(.unexpectedResponse, "The server's COPY data is not in the binary form.")
                    }
                    rows += decoded
                    size += Int(count)
                } else if count == 0 {
                    guard rows.isEmpty else { return rows }
                    try await self.wait(for: EPOLLIN)
                    try self.receive()
                } else {
                    let failure = try await self.finishCopyOut()
                    if let failure { throw failure }
                    return rows.isEmpty ? nil : rows
                }
            }
            return rows
        }
    }

    private func finishCopyOut() async throws -> PostgresError? {
        wire = .simple
        var failure: PostgresError?
        while let result = try await nextResult() { failure = failure ?? result.error }
        wire = .idle
        copy = nil
        return failure?.orLost
    }

    /// The reader of a COPY OUT went away. The next operation reads the rest.
    func markCopyAbandoned(lease: Int) {
        guard lease == self.lease else { return }
        copy?.isAbandoned = true
    }

    /// Ends what an abandoned COPY left in the connection.
    func finishAbandonedCopy() async throws {
        guard copy != nil || wire != .idle else { return }
        try await abandonCopy()
    }

    private func abandonCopy() async throws {
        if wire == .copyOut { requestCancel() }
        try await drain()
        try await awaitCancel()
    }
}

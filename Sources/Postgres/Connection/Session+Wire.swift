import CLibpq
import Glibc

/// The steps that every exchange with the server consists of.
extension Session {
    /// Sends what libpq has queued. Reads at the same time: a server that cannot send does not receive.
    func flush() async throws {
        while true {
            switch PQflush(try pointer) {
            case 0: return
            case 1:
                try await wait(for: EPOLLIN, EPOLLOUT)
                try receive()
            default: throw PostgresError.connectionLost
            }
        }
    }

    /// Takes what the socket holds.
    func receive() throws {
        let pointer = try pointer
        guard PQconsumeInput(pointer) == 1 else { throw PostgresError.connectionLost }
        guard PQsslInUse(pointer) == 1 else { return }
        // libpq may leave the rest of a TLS record, which the socket does not show, inside the TLS library. It asks for
        // at least half a record at a time.
        var quietReads = 0
        while quietReads < 2, PQisBusy(pointer) == 1 {
            var descriptor = pollfd(fd: PQsocket(pointer), events: Int16(POLLIN), revents: 0)
            quietReads = poll(&descriptor, 1, 0) > 0 ? 0 : quietReads + 1
            guard PQconsumeInput(pointer) == 1 else { throw PostgresError.connectionLost }
        }
    }

    /// libpq's next result; nil after the last one of a statement.
    func nextResult() async throws -> ResultSet? {
        while PQisBusy(try pointer) == 1 {
            try await wait(for: EPOLLIN)
            try receive()
        }
        let pointer = try pointer
        if let result = PQgetResult(pointer) { return ResultSet(result) }
        // Of a broken connection there is never a result.
        guard PQstatus(pointer) == CONNECTION_OK else { throw PostgresError.connectionLost }
        return nil
    }

    /// Reads and drops everything until the connection is idle.
    func drain() async throws {
        switch wire {
        case .idle: return
        case .pipeline:
            try await flush()
            while try await nextResult()?.status != PGRES_PIPELINE_SYNC {}
        case .copyIn:
            guard PQputCopyEnd(try pointer, "the client gave up") != -1 else { throw PostgresError.connectionLost }
            try await flush()
            while try await nextResult() != nil {}
        case .copyOut:
            var buffer: UnsafeMutablePointer<CChar>?
            var count = 0
            reading: while true {
                switch PQgetCopyData(try pointer, &buffer, 1) {
                case 1...:
                    PQfreemem(buffer)
                    count += 1
                    // Other connections have their turn while the server has not noticed the cancellation.
                    if count.isMultiple(of: 1024) { await Task.yield() }
                case 0:
                    try await wait(for: EPOLLIN)
                    try receive()
                default: break reading
                }
            }
            while try await nextResult() != nil {}
        case .simple:
            try await flush()
            while let result = try await nextResult() {
                if result.isCopy { throw PostgresError.strayCopy }
            }
        }
        wire = .idle
        copy = nil
    }

    /// COPY and scripts cannot be sent in libpq's pipeline mode; everything else is.
    func setPipelined(_ isPipelined: Bool) throws {
        let status = isPipelined ? PQenterPipelineMode(try pointer) : PQexitPipelineMode(try pointer)
        guard status == 1 else { throw PostgresError.connectionLost }
    }

    /// A C string cannot hold a NUL: the server would see the text end there.
    func check(text: String) throws {
        guard !text.utf8.contains(0) else {
            throw PostgresError(.misuse, "A statement holds a NUL character.")
        }
    }
}

extension PostgresError {
    static let strayCopy = PostgresError(.misuse, "A COPY must be run by copyIn or copyOut, whichever way it goes.")
}

extension ResultSet {
    var isCopy: Bool { [PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH].contains(status) }
}

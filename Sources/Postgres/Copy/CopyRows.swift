/// The rows of a binary COPY OUT, read as fast as they are asked for. Decode them by position.
///
/// The COPY starts with the first row asked for. Until the sequence ends, throws or is dropped, the connection can be
/// used for nothing else; dropping it early cancels the COPY.
public struct CopyRows: AsyncSequence, Sendable {
    public typealias Element = Row

    let session: Session
    let lease: Int
    let sql: String

    /// Starts an iteration; a second one runs the COPY again.
    public func makeAsyncIterator() -> Iterator {
        Iterator(reader: Reader(session: session, lease: lease), sql: sql)
    }

    /// Tells the session when nobody reads any more.
    fileprivate final class Reader: Sendable {
        let session: Session
        let lease: Int

        init(session: Session, lease: Int) {
            self.session = session
            self.lease = lease
        }

        deinit {
            session.loop.submit { [session, lease] in
                session.assumeIsolated { $0.markCopyAbandoned(lease: lease) }
            }
        }
    }

    /// Hands out the rows of one COPY.
    public struct Iterator: AsyncIteratorProtocol {
        fileprivate let reader: Reader
        fileprivate let sql: String
        private var isStarted = false
        private var isOver = false
        private var batch: [CopyTuple] = []
        private var position = 0

        fileprivate init(reader: Reader, sql: String) {
            self.reader = reader
            self.sql = sql
        }

        /// The next row; nil after the last.
        public mutating func next() async throws -> Row? {
            if position == batch.count {
                guard !isOver else { return nil }
                // An iterator that has thrown has ended.
                isOver = true
                if !isStarted {
                    isStarted = true
                    _ = try await reader.session.beginCopy(sql, into: .copyOut, lease: reader.lease)
                }
                repeat {
                    guard let rows = try await reader.session.readCopy(lease: reader.lease) else { return nil }
                    batch = rows
                } while batch.isEmpty
                position = 0
                isOver = false
            }
            defer { position += 1 }
            return Row(storage: .copy(batch[position]))
        }
    }
}

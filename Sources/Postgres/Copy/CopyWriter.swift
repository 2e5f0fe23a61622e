/// Writes the rows of a binary COPY IN. It gathers them in chunks, and waits for the socket after each.
public final class CopyWriter {
    private static let chunkSize = 1 << 18

    private let session: Session
    private let lease: Int
    private let columnCount: Int
    private var chunk: [UInt8]

    init(session: Session, lease: Int, columnCount: Int) {
        self.session = session
        self.lease = lease
        self.columnCount = columnCount
        // Flags and the length of the header's extension are zero.
        chunk = CopyDecoder.signature + [UInt8](repeating: 0, count: 8)
    }

    /// Writes a row, one value for each column of the COPY. The types must be exactly those of the columns: the binary
    /// form has no conversions, an `Int` does not fit an `integer` column.
    public nonisolated(nonsending) func row<each Value: PostgresEncodable>(_ values: repeat each Value) async throws {
        let start = chunk.count
        chunk.append(bigEndian: Int16(columnCount))
        var count = 0
        for value in repeat each values {
            chunk.append(field: value)
            count += 1
        }
        guard count == columnCount else {
            chunk.removeSubrange(start...)
            throw PostgresError(.misuse, "A COPY row has \(count) values for \(columnCount) columns.")
        }
        if chunk.count >= Self.chunkSize { try await flush() }
    }

    private nonisolated(nonsending) func flush() async throws {
        let full = chunk
        chunk = []
        chunk.reserveCapacity(Self.chunkSize + Self.chunkSize / 4)
        try await session.sendCopy(full, lease: lease)
    }

    nonisolated(nonsending) func finish() async throws -> Int {
        chunk.append(bigEndian: Int16(-1))
        return try await session.finishCopyIn(chunk, lease: lease)
    }
}

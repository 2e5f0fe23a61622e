public import EnsembleModel

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Finds the row of an id, and the slice of a row, without a `String` per row.
///
/// A million rows take their ids' bytes and 36 to 52 bytes each.
public struct ValidationIndex: Sendable {
    /// Class names in the ensemble's order. K = `classes.count`.
    public let classes: [String]
    /// Names of the slices.
    public let sliceNames: [String]
    /// Index of each row's slice.
    let slices: [UInt32]

    /// One entry a row, in row order: row and length of the id as 32-bit numbers, then the id. That all of it lies
    /// together saves a cache miss a row where ids come in another order.
    private let entries: [UInt8]
    /// Where each row's entry begins.
    private let positions: [Int]
    /// Open addressing with linear probing, at most half full: high 24 bits of the hash, position of the entry + 1;
    /// 0 where free.
    private let table: [UInt64]
    /// Random, so that nobody can choose ids that collide.
    private let seed: UInt64

    private static let headerBytes = 8
    private static let positionMask: UInt64 = 0xFF_FFFF_FFFF

    /// Number of rows, N.
    public var rowCount: Int { slices.count }

    /// Indexes a validation set's rows.
    public init(_ set: ValidationSet) {
        var entries: [UInt8] = []
        var positions: [Int] = []
        positions.reserveCapacity(set.rowCount)
        for (row, id) in set.rowIDs.enumerated() {
            positions.append(entries.count)
            withUnsafeBytes(of: UInt32(row)) { entries.append(contentsOf: $0) }
            withUnsafeBytes(of: UInt32(id.utf8.count)) { entries.append(contentsOf: $0) }
            entries.append(contentsOf: id.utf8)
        }
        classes = set.classes
        sliceNames = set.sliceNames
        slices = set.slices.map { UInt32($0) }
        seed = .random(in: .min ... .max)
        self.entries = entries
        self.positions = positions
        table = Self.table(entries, positions, seed)
    }

    private static func table(_ entries: [UInt8], _ positions: [Int], _ seed: UInt64) -> [UInt64] {
        var capacity = 8
        while capacity < 2 * positions.count { capacity *= 2 }
        var table = [UInt64](repeating: 0, count: capacity)
        entries.withUnsafeBytes { bytes in
            for position in positions {
                let hash = hash(id(at: position, in: bytes), seed)
                var slot = Int(truncatingIfNeeded: hash) & (capacity - 1)
                while table[slot] != 0 { slot = (slot + 1) & (capacity - 1) }
                table[slot] = hash & ~positionMask | UInt64(position + 1)
            }
        }
        return table
    }

    /// The row of an id, or nil.
    ///
    /// - Parameter next: where to look first, 0 at the beginning; after a find the place after it, since files are
    ///   often in row-id order.
    func row(of id: UnsafeRawBufferPointer, next: inout Int) -> Int? {
        entries.withUnsafeBytes { bytes in
            if let row = Self.row(at: next, in: bytes, ifItIs: id) {
                next += Self.headerBytes + id.count
                return row
            }
            let hash = Self.hash(id, seed)
            var slot = Int(truncatingIfNeeded: hash) & (table.count - 1)
            while table[slot] != 0 {
                let position = Int(table[slot] & Self.positionMask) - 1
                if (table[slot] ^ hash) & ~Self.positionMask == 0,
                    let row = Self.row(at: position, in: bytes, ifItIs: id)
                {
                    next = position + Self.headerBytes + id.count
                    return row
                }
                slot = (slot + 1) & (table.count - 1)
            }
            return nil
        }
    }

    /// The bytes of a row's id.
    func withID<Result>(
        ofRow row: Int, _ body: (UnsafeRawBufferPointer) throws(IngestStop) -> Result
    ) throws(IngestStop) -> Result {
        try entries.lend { (bytes) throws(IngestStop) in try body(Self.id(at: positions[row], in: bytes)) }
    }

    /// A row's id, for people.
    func readableID(ofRow row: Int) -> String {
        entries.withUnsafeBytes { FaultLog.readable(Self.id(at: positions[row], in: $0)) }
    }

    private static func id(at position: Int, in entries: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
        let length = Int(entries.loadUnaligned(fromByteOffset: position + 4, as: UInt32.self))
        let start = position + headerBytes
        return UnsafeRawBufferPointer(rebasing: entries[start..<start + length])
    }

    private static func row(at position: Int, in entries: UnsafeRawBufferPointer, ifItIs id: UnsafeRawBufferPointer)
        -> Int?
    {
        guard position < entries.count else { return nil }
        let known = Self.id(at: position, in: entries)
        guard known.count == id.count else { return nil }
        if let left = known.baseAddress, let right = id.baseAddress, memcmp(left, right, id.count) != 0 { return nil }
        return Int(entries.loadUnaligned(fromByteOffset: position, as: UInt32.self))
    }

    /// Eight bytes at a time, folded by a 64 x 64 to 128 bit product, as wyhash does.
    private static func hash(_ id: UnsafeRawBufferPointer, _ seed: UInt64) -> UInt64 {
        var state = seed ^ UInt64(truncatingIfNeeded: id.count)
        var position = 0
        while position + 8 <= id.count {
            state = mix(state ^ id.loadUnaligned(fromByteOffset: position, as: UInt64.self))
            position += 8
        }
        var tail: UInt64 = 0
        while position < id.count {
            tail = tail << 8 | UInt64(id[position])
            position += 1
        }
        return mix(mix(state ^ tail) ^ seed)
    }

    private static func mix(_ value: UInt64) -> UInt64 {
        let product = (value ^ 0x9E37_79B9_7F4A_7C15).multipliedFullWidth(by: 0xD6E8_FEB8_6659_FD93)
        return product.high ^ product.low
    }
}

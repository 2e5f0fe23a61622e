public import EnsembleModel

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Finds the row of an id, and the slice of a row, without a `String` per row.
///
/// A million rows take their ids' bytes and 32 bytes each.
public struct ValidationIndex: Sendable {
    /// Class names in the ensemble's order. K = `classes.count`.
    public let classes: [String]
    /// Names of the slices.
    public let sliceNames: [String]
    /// Index of each row's slice.
    let slices: [UInt32]

    /// The ids in row order, one after the other; row r has `offsets[r]..<offsets[r + 1]`.
    private let bytes: [UInt8]
    private let offsets: [Int]
    /// Open addressing with linear probing, at most half full: high half of the hash, row + 1; 0 where free.
    private let table: [UInt64]
    /// Random, so that nobody can choose ids that collide.
    private let seed: UInt64

    /// Number of rows, N.
    public var rowCount: Int { slices.count }

    /// Indexes a validation set's rows.
    public init(_ set: ValidationSet) {
        var bytes: [UInt8] = []
        var offsets = [0]
        offsets.reserveCapacity(set.rowCount + 1)
        for id in set.rowIDs {
            bytes.append(contentsOf: id.utf8)
            offsets.append(bytes.count)
        }
        classes = set.classes
        sliceNames = set.sliceNames
        slices = set.slices.map { UInt32($0) }
        seed = .random(in: .min ... .max)
        var capacity = 8
        while capacity < 2 * set.rowCount { capacity *= 2 }
        self.bytes = bytes
        self.offsets = offsets
        table = Self.table(bytes, offsets, capacity: capacity, seed)
    }

    private static func table(_ bytes: [UInt8], _ offsets: [Int], capacity: Int, _ seed: UInt64) -> [UInt64] {
        var table = [UInt64](repeating: 0, count: capacity)
        bytes.withUnsafeBytes { ids in
            for row in 0..<offsets.count - 1 {
                let hash = hash(UnsafeRawBufferPointer(rebasing: ids[offsets[row]..<offsets[row + 1]]), seed)
                var slot = Int(truncatingIfNeeded: hash) & (capacity - 1)
                while table[slot] != 0 { slot = (slot + 1) & (capacity - 1) }
                table[slot] = hash & tagMask | UInt64(row + 1)
            }
        }
        return table
    }

    /// The row of an id, or nil. `guess` is tried first: files are often in row-id order.
    func row(of id: UnsafeRawBufferPointer, guess: Int) -> Int? {
        if guess < rowCount, matches(guess, id) { return guess }
        let hash = Self.hash(id, seed)
        var slot = Int(truncatingIfNeeded: hash) & (table.count - 1)
        while table[slot] != 0 {
            if table[slot] & Self.tagMask == hash & Self.tagMask {
                let row = Int(table[slot] & ~Self.tagMask) - 1
                if matches(row, id) { return row }
            }
            slot = (slot + 1) & (table.count - 1)
        }
        return nil
    }

    /// The bytes of a row's id.
    func withID<Result>(
        ofRow row: Int, _ body: (UnsafeRawBufferPointer) throws(IngestStop) -> Result
    ) throws(IngestStop) -> Result {
        try bytes.lend { (ids) throws(IngestStop) in
            try body(UnsafeRawBufferPointer(rebasing: ids[offsets[row]..<offsets[row + 1]]))
        }
    }

    /// A row's id, for people.
    func readableID(ofRow row: Int) -> String {
        bytes.withUnsafeBytes { FaultLog.readable(UnsafeRawBufferPointer(rebasing: $0[offsets[row]..<offsets[row + 1]])) }
    }

    private func matches(_ row: Int, _ id: UnsafeRawBufferPointer) -> Bool {
        let start = offsets[row]
        guard offsets[row + 1] - start == id.count else { return false }
        guard let other = id.baseAddress else { return true }
        return bytes.withUnsafeBytes { ids in ids.baseAddress.map { memcmp($0 + start, other, id.count) == 0 } ?? false }
    }

    private static let tagMask: UInt64 = 0xFFFF_FFFF_0000_0000

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

/// A tensor that only members understand, as sent: the JSON text of its elements, row by row.
struct RawTensor: Sendable {
    let name: String
    let datatype: String
    /// The shape of one row.
    let rowShape: [Int]
    let elements: RawElements

    /// Elements of one row.
    var rowWidth: Int { rowShape.reduce(1, *) }

    /// The JSON text of a row's elements, separated by commas.
    func text(ofRow row: Int) -> ArraySlice<UInt8> { elements.text(row * rowWidth..<(row + 1) * rowWidth) }

    /// A tensor like this one, of rows of others like it.
    fileprivate func rows(_ rows: [(of: RawTensor, row: Int)]) -> RawTensor {
        var elements = RawElements()
        for (tensor, row) in rows {
            for element in row * rowWidth..<(row + 1) * rowWidth {
                elements.append(tensor.elements.text(element..<element + 1))
            }
        }
        return RawTensor(name: name, datatype: datatype, rowShape: rowShape, elements: elements)
    }
}

/// JSON scalars, one after the other.
struct RawElements: Sendable {
    /// The scalars, each followed by a comma.
    private var text: [UInt8] = []
    /// Where each scalar's comma is.
    private var ends: [Int] = []

    var count: Int { ends.count }

    /// Adds a scalar.
    mutating func append(_ scalar: ArraySlice<UInt8>) {
        text += scalar
        ends.append(text.count)
        text.append(UInt8(ascii: ","))
    }

    /// The text of some scalars, separated by commas.
    func text(_ range: Range<Int>) -> ArraySlice<UInt8> {
        guard let last = range.last else { return [] }
        return text[(range.lowerBound == 0 ? 0 : ends[range.lowerBound - 1] + 1)..<ends[last]]
    }
}

/// Rows as members are sent them: their keys, groups and raw inputs.
struct RawRows: Sendable {
    /// What rows must share to be sent in one call.
    struct Layout: Hashable, Sendable {
        struct Tensor: Hashable, Sendable {
            var name: String
            var datatype: String
            var rowShape: [Int]
        }

        var hasKeys: Bool
        var hasGroups: Bool
        var tensors: [Tensor]
    }

    let count: Int
    let keys: [String]?
    let groups: [String]?
    let tensors: [RawTensor]
    let layout: Layout

    init(count: Int, keys: [String]?, groups: [String]?, tensors: [RawTensor]) {
        self.count = count
        self.keys = keys
        self.groups = groups
        self.tensors = tensors
        layout = Layout(
            hasKeys: keys != nil, hasGroups: groups != nil,
            tensors: tensors.map { .init(name: $0.name, datatype: $0.datatype, rowShape: $0.rowShape) })
    }

    /// Whether there is anything to tell a member about a row.
    var isEmpty: Bool { keys == nil && tensors.isEmpty }

    /// One row by itself.
    func row(_ row: Int) -> RawRows {
        RawRows(
            count: 1, keys: keys.map { [$0[row]] }, groups: groups.map { [$0[row]] },
            tensors: tensors.map { $0.rows([(of: $0, row)]) })
    }

    /// Rows of one layout in one; nil when there are none.
    init?(joining rows: [RawRows]) {
        guard let first = rows.first else { return nil }
        self.init(
            count: rows.reduce(0) { $0 + $1.count },
            keys: first.keys.map { _ in rows.flatMap { $0.keys ?? [] } },
            groups: first.groups.map { _ in rows.flatMap { $0.groups ?? [] } },
            tensors: first.tensors.enumerated().map { index, tensor in
                tensor.rows(rows.flatMap { part in (0..<part.count).map { (of: part.tensors[index], $0) } })
            })
    }

    /// Bytes of a row's texts.
    func bytes(ofRow row: Int) -> Int {
        tensors.reduce(0) { $0 + $1.text(ofRow: row).count }
    }
}

/// Some rows of ``RawRows``.
struct RowSelection: Sendable {
    let source: RawRows
    let rows: [Int]

    init(_ source: RawRows, _ rows: [Int]) {
        self.source = source
        self.rows = rows
    }

    var count: Int { rows.count }

    /// Some of these rows, by their places in the selection.
    func selecting(_ places: some Sequence<Int>) -> RowSelection { RowSelection(source, places.map { rows[$0] }) }

    /// Parts of at most so many rows.
    func chunks(of size: Int) -> [Range<Int>] {
        stride(from: 0, to: count, by: size).map { $0..<min($0 + size, count) }
    }
}

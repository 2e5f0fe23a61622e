/// Checks predictions written as a NumPy array: `<f4` or `<f8`, C order, shape (N, K), in row-id order.
final class NPYPredictions: UploadContent, PredictionContent {
    var rows: PredictionRows
    private let validation: ValidationIndex
    /// The header while it comes, then the beginning of a row.
    private var carry: [UInt8] = []
    /// Bytes of a value, once the header is known.
    private var width: Int?
    private var values: [Double]
    private var nextRow = 0

    init(_ rows: PredictionRows) {
        self.rows = rows
        validation = rows.validation
        values = Array(repeating: 0, count: rows.validation.classes.count)
    }

    var faults: FaultLog { rows.faults }

    func consume(_ bytes: UnsafeRawBufferPointer) throws(IngestStop) {
        var rest = bytes[...]
        while !rest.isEmpty {
            if let width {
                try takeRows(&rest, rowBytes: width * values.count)
            } else {
                try takeHeader(&rest)
            }
        }
    }

    func finish() throws(IngestStop) {
        guard width != nil, nextRow == validation.rowCount, carry.isEmpty else {
            let place = width == nil ? "within its header" : "after \(nextRow) of \(validation.rowCount) rows"
            throw .fault(.truncatedNPY, "the array file ends \(place); send the whole file")
        }
        try rows.finish()
    }

    /// Moves bytes from `rest` until `carry` holds `count`; false when there are too few.
    private func fill(_ count: Int, from rest: inout Slice<UnsafeRawBufferPointer>) -> Bool {
        let piece = rest.prefix(max(0, count - carry.count))
        carry.append(contentsOf: piece)
        rest = rest.dropFirst(piece.count)
        return carry.count >= count
    }

    private func takeHeader(_ rest: inout Slice<UnsafeRawBufferPointer>) throws(IngestStop) {
        let enough = fill(12, from: &rest)
        guard carry.starts(with: NPYHeader.magic.prefix(carry.count)) else { throw Self.notNPY }
        guard enough else { return }
        guard let size = NPYHeader.size(carry), size.dictionary <= rows.limits.maximumLineBytes else {
            throw Self.notNPY
        }
        guard fill(size.prefix + size.dictionary, from: &rest) else { return }
        guard let header = NPYHeader(dictionary: carry[size.prefix..<size.prefix + size.dictionary]) else {
            throw Self.notNPY
        }
        width = try check(header)
        carry.removeFirst(size.prefix + size.dictionary)
    }

    private static var notNPY: IngestStop {
        .fault(.notNPY, "the upload is not a NumPy array file of version 1 to 3; write it with numpy.save")
    }

    /// Checks type, order and shape; returns the bytes of a value.
    private func check(_ header: NPYHeader) throws(IngestStop) -> Int {
        let expected = [validation.rowCount, values.count]
        var found: [IngestFault] = []
        func add(_ code: IngestFault.Code, _ message: String) {
            found.append(IngestFault(code, message))
        }
        let widths = ["<f4": 4, "<f8": 8]
        if widths[header.type] == nil {
            add(.npyType, "the array's type is '\(header.type.prefix(20))'; convert it with astype('<f4')")
        }
        if header.isFortranOrder {
            add(.npyOrder, "the array is in Fortran order; convert it with numpy.ascontiguousarray")
        }
        if header.shape != expected {
            let shape = header.shape.prefix(8).map(String.init).joined(separator: ", ")
            add(
                .npyShape, "the array's shape is (\(shape)); it must be (\(expected[0]), \(expected[1])): rows, classes"
            )
        }
        guard found.isEmpty, let width = widths[header.type] else { throw .faults(found) }
        return width
    }

    private func takeRows(_ rest: inout Slice<UnsafeRawBufferPointer>, rowBytes: Int) throws(IngestStop) {
        guard nextRow < validation.rowCount else {
            throw .fault(.trailingGarbage, "bytes follow the array's last row; write it again with numpy.save")
        }
        if !carry.isEmpty || rest.count < rowBytes {
            guard fill(rowBytes, from: &rest) else { return }
            let bytes = carry
            carry.removeAll(keepingCapacity: true)
            return try bytes.lend { (bytes) throws(IngestStop) in try take(bytes) }
        }
        try take(UnsafeRawBufferPointer(rebasing: rest.prefix(rowBytes)))
        rest = rest.dropFirst(rowBytes)
    }

    private func take(_ bytes: UnsafeRawBufferPointer) throws(IngestStop) {
        for column in values.indices {
            if width == 4 {
                let bits = bytes.loadUnaligned(fromByteOffset: 4 * column, as: UInt32.self)
                values[column] = Double(Float(bitPattern: UInt32(littleEndian: bits)))
            } else {
                let bits = bytes.loadUnaligned(fromByteOffset: 8 * column, as: UInt64.self)
                values[column] = Double(bitPattern: UInt64(littleEndian: bits))
            }
        }
        try rows.begin()
        let row = nextRow
        nextRow += 1
        // A row of NaN alone says that there is no prediction.
        guard !values.allSatisfy(\.isNaN) else { return }
        _ = rows.mark(row)
        try validation.withID(ofRow: row) { (id) throws(IngestStop) in
            try rows.accept(values, row: row, line: nil, id: id)
        }
    }
}

/// Checks predictions written as CSV: `id` and the class names, then one line a row, in any order.
final class CSVPredictions: UploadContent, PredictionContent {
    var rows: PredictionRows
    private let validation: ValidationIndex
    private let limits: IngestLimits
    private var reader: CSVReader
    private var fields = CSVFields()
    private var hasHeader = false
    private var values: [Double]
    private var nextEntry = 0

    init(_ rows: PredictionRows) {
        self.rows = rows
        validation = rows.validation
        limits = rows.limits
        reader = CSVReader(maximumRecordBytes: limits.maximumLineBytes)
        values = Array(repeating: 0, count: rows.validation.classes.count)
    }

    var faults: FaultLog { rows.faults }

    func consume(_ bytes: UnsafeRawBufferPointer) throws(IngestStop) {
        try reader.read(bytes) { (record) throws(IngestStop) in try take(record) }
    }

    func finish() throws(IngestStop) {
        try reader.finish { (record) throws(IngestStop) in try take(record) }
        try rows.finish()
    }

    private func take(_ record: CSVRecord) throws(IngestStop) {
        guard hasHeader else {
            hasHeader = true
            return try checkHeader(record)
        }
        try rows.begin()
        guard !record.isTooLong else {
            return rows.faults.add(
                .lineTooLong, line: record.line, id: nil,
                CSV.tooLongMessage(limits))
        }
        let isQuotedWell: Void? = try fields.withFields(of: record) { (fields) throws(IngestStop) in
            try check(fields, line: record.line)
        }
        if isQuotedWell == nil {
            rows.faults.add(
                .quoting, line: record.line, id: nil, CSV.quotingMessage)
        }
    }

    private func checkHeader(_ record: CSVRecord) throws(IngestStop) {
        let expected = ["id"] + validation.classes
        let found = try CSVHeader.names(record, example: CSVHeader.line(expected))
        try CSVHeader.check(found, required: expected)
        guard found == expected else {
            throw .fault(
                .columnOrder,
                "the columns are in the wrong order: expected \(CSVHeader.line(expected)), "
                    + "found \(CSVHeader.line(found))")
        }
    }

    private func check(_ fields: CSVFields.Fields, line: Int) throws(IngestStop) {
        let id = fields[0]
        let row = findRow(id, line: line)
        guard fields.count == values.count + 1 else {
            return rows.faults.add(
                .columnCount, line: line, id: id, "a row must have \(values.count + 1) fields: id and classes")
        }
        for column in values.indices {
            guard let value = Decimal.parse(fields[column + 1]) else {
                return rows.faults.add(
                    .notANumber, line: line, id: id, "probabilities must be decimal numbers such as 0.25 or 1e-5")
            }
            values[column] = value
        }
        try rows.accept(values, row: row, line: line, id: id)
    }

    /// The row of an id that the upload has not given before; nil with a fault otherwise.
    private func findRow(_ id: UnsafeRawBufferPointer, line: Int) -> Int? {
        guard let row = validation.row(of: id, next: &nextEntry) else {
            if id.isEmpty {
                rows.faults.add(.emptyID, line: line, id: nil, "a row must begin with its id")
            } else if String(validating: id, as: UTF8.self) == nil {
                rows.faults.add(.invalidUTF8, line: line, id: id, "ids must be UTF-8 text: save the file as UTF-8")
            } else {
                rows.faults.add(
                    .unknownID, line: line, id: id,
                    "ids must be those of the validation set (`registry ensembles rows`); remove other rows")
            }
            return nil
        }
        guard rows.mark(row) else {
            rows.faults.add(.duplicateID, line: line, id: id, "every id may be given once: remove the repeated rows")
            return nil
        }
        return row
    }
}

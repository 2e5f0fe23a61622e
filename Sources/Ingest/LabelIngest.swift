public import EnsembleModel

/// Checks an upload of labelled rows while it is sent; one task at a time uses it.
///
/// CSV (RFC 4180, UTF-8) with the columns `id,label[,group][,slice]` in any order.
///
/// The rows are held in memory, as the ``EnsembleModel/ValidationSet`` that they become is.
public final class LabelIngest {
    private let labels: CSVLabels
    private let check: UploadCheck

    /// Begins an upload.
    ///
    /// - Parameters:
    ///   - classes: the class names that labels may be: two or more, all different.
    ///   - gzip: whether the upload is compressed.
    ///   - limits: what it may cost.
    /// - Throws: ``IngestError`` with code `spool` when this machine cannot begin.
    public init(classes: [String], gzip: Bool, limits: IngestLimits = IngestLimits()) throws(IngestError) {
        labels = CSVLabels(classes: classes, limits: limits)
        do throws(IngestStop) {
            check = try UploadCheck(labels, gzip: gzip, limits: limits)
        } catch {
            throw FaultLog().error(endedBy: error)
        }
    }

    /// Checks the next bytes; throws as ``PredictionIngest/consume(_:)`` does.
    public func consume(_ bytes: UnsafeRawBufferPointer) throws(IngestError) {
        try check.consume(bytes)
    }

    /// Checks the end of the upload.
    ///
    /// - Returns: the validation set.
    /// - Throws: ``IngestError`` with every kind of fault found.
    public func finish() throws(IngestError) -> ValidationSet {
        try check.finish()
        do {
            return try ValidationSet(classes: labels.classes, rows: labels.rows)
        } catch {
            throw IngestError(.refused, error.message)
        }
    }
}

/// The rows of a labels file.
final class CSVLabels: UploadContent {
    let classes: [String]
    private(set) var rows: [ValidationSet.Row] = []
    private(set) var faults = FaultLog()
    private let limits: IngestLimits
    private let labelOfClass: [String: Int]
    private var reader: CSVReader
    private var fields = CSVFields()
    private var columns: Columns?
    private var ids: Set<String> = []
    private var count = 0

    private struct Columns {
        var count: Int
        var id: Int
        var label: Int
        var group: Int?
        var slice: Int?
    }

    init(classes: [String], limits: IngestLimits) {
        self.classes = classes
        self.limits = limits
        labelOfClass = Dictionary(classes.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        reader = CSVReader(maximumRecordBytes: limits.maximumLineBytes)
    }

    func consume(_ bytes: UnsafeRawBufferPointer) throws(IngestStop) {
        try reader.read(bytes) { (record) throws(IngestStop) in try take(record) }
    }

    func finish() throws(IngestStop) {
        try reader.finish { (record) throws(IngestStop) in try take(record) }
        guard count > 0 else { throw .fault(.noRows, "the upload has no rows; send one row for each labelled example") }
    }

    private func take(_ record: CSVRecord) throws(IngestStop) {
        guard let columns else {
            columns = try Self.columns(record)
            return
        }
        count += 1
        guard count <= limits.maximumRows else {
            throw .fault(.tooManyRows, "the upload has more than \(limits.maximumRows) rows; send a sample of them")
        }
        guard !record.isTooLong else {
            return faults.add(
                .lineTooLong, line: record.line, id: nil,
                CSV.tooLongMessage(limits))
        }
        let isQuotedWell: Void? = try fields.withFields(of: record) { fields in
            check(fields, columns, line: record.line)
        }
        if isQuotedWell == nil {
            faults.add(
                .quoting, line: record.line, id: nil, CSV.quotingMessage)
        }
    }

    private static func columns(_ record: CSVRecord) throws(IngestStop) -> Columns {
        let required = ["id", "label"]
        let optional = ["group", "slice"]
        let names = try CSVHeader.names(record, example: CSVHeader.line(required, optional))
        try CSVHeader.check(names, required: required, optional: optional)
        let position = Dictionary(names.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        return Columns(
            count: names.count, id: position["id", default: 0], label: position["label", default: 0],
            group: position["group"], slice: position["slice"])
    }

    private func check(_ fields: CSVFields.Fields, _ columns: Columns, line: Int) {
        let readID = columns.id < fields.count ? fields[columns.id] : nil
        guard fields.count == columns.count else {
            return faults.add(
                .columnCount, line: line, id: readID, "a row must have \(columns.count) fields, as the header has")
        }
        let idBytes = fields[columns.id]
        let label = labelOfClass[String(decoding: fields[columns.label], as: UTF8.self)]
        if label == nil {
            faults.add(.unknownClass, line: line, id: idBytes, "labels must be one of the classes \(listed(classes))")
        }
        guard !idBytes.isEmpty else {
            return faults.add(.emptyID, line: line, id: nil, "every row must have an id")
        }
        guard let id = text(idBytes, line: line, id: idBytes) else { return }
        var group: String?
        var slice: String?
        if let column = columns.group, !fields[column].isEmpty {
            group = text(fields[column], line: line, id: idBytes)
            if group == nil { return }
        }
        if let column = columns.slice, !fields[column].isEmpty {
            slice = text(fields[column], line: line, id: idBytes)
            if slice == nil { return }
        }
        guard ids.insert(id).inserted else {
            return faults.add(
                .duplicateID, line: line, id: idBytes, "every id may be given once: remove the repeated rows")
        }
        guard let label, faults.isEmpty else { return }
        rows.append(ValidationSet.Row(id: id, label: label, group: group, slice: slice))
    }

    /// A text that can be stored and shown; nil with a fault otherwise.
    private func text(_ bytes: UnsafeRawBufferPointer, line: Int, id: UnsafeRawBufferPointer) -> String? {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            faults.add(.invalidUTF8, line: line, id: id, "ids, groups and slices must be UTF-8 text")
            return nil
        }
        guard bytes.count <= limits.maximumTextBytes, !bytes.contains(where: { $0 < 0x20 || $0 == 0x7F }) else {
            faults.add(
                .invalidText, line: line, id: id,
                "ids, groups and slices may hold no control characters and \(limits.maximumTextBytes) bytes"
            )
            return nil
        }
        return text
    }
}

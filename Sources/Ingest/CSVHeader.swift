/// Reads the header of a CSV upload and compares it with what it must be.
enum CSVHeader {
    /// The names in a header, a byte order mark left out.
    static func names(_ record: CSVRecord, example: String) throws(IngestStop) -> [String] {
        var bytes = record.bytes
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { bytes = UnsafeRawBufferPointer(rebasing: bytes.dropFirst(3)) }
        if record.isTooLong || bytes.contains(0) || String(validating: bytes, as: UTF8.self) == nil {
            throw .fault(.notCSV, "\(kind(of: bytes)); send UTF-8 text whose first line is \(example)")
        }
        let header = CSVRecord(bytes: bytes, line: record.line, isQuoted: record.isQuoted, isTooLong: false)
        var fields = CSVFields()
        let names = try fields.withFields(of: header) { fields in
            (0..<fields.count).map { String(decoding: fields[$0], as: UTF8.self) }
        }
        guard let names else {
            throw .fault(.quoting, "the header's quotes are not closed; its first line must be \(example)")
        }
        return names
    }

    /// Checks that the required columns are there, no others but optional ones, and none twice.
    static func check(_ found: [String], required: [String], optional: [String] = []) throws(IngestStop) {
        let present = Set(found)
        let known = Set(required + optional)
        var faults: [IngestFault] = []
        func add(_ code: IngestFault.Code, _ what: String, _ names: [String]) {
            guard !names.isEmpty else { return }
            let message = "\(what) \(listed(names)); the header must be \(line(required, optional))"
            let example = IngestFault.Example(line: 1, id: nil)
            faults.append(IngestFault(code, message, count: names.count, examples: [example]))
        }
        add(.missingColumn, "the header lacks", required.filter { !present.contains($0) })
        add(.unknownColumn, "the header has unknown columns", found.filter { !known.contains($0) })
        let repeated = Dictionary(grouping: found, by: \.self).filter { $1.count > 1 }
        add(.duplicateColumn, "the header repeats", repeated.keys.sorted())
        guard faults.isEmpty else { throw .faults(faults) }
    }

    /// A header as it is written.
    static func line(_ required: [String], _ optional: [String] = []) -> String {
        let shown = required.prefix(50).joined(separator: ",") + (required.count > 50 ? ",..." : "")
        return "`\(shown)\(optional.map { "[,\($0)]" }.joined())`"
    }

    private static func kind(of bytes: UnsafeRawBufferPointer) -> String {
        let magics: [(magic: [UInt8], kind: String)] = [
            ([0x1F, 0x8B], "the upload is gzip'ed but not declared so"),
            (NPYHeader.magic, "the upload is a NumPy array but not declared so"),
            (Array("PAR1".utf8), "the upload is a Parquet file"),
            (Array("PK".utf8), "the upload is a zip archive"),
            ([0xFF, 0xFE], "the upload is UTF-16 text"),
            ([0xFE, 0xFF], "the upload is UTF-16 text"),
        ]
        return magics.first { bytes.starts(with: $0.magic) }?.kind ?? "the upload is not CSV text"
    }
}

import EnsembleModel

/// The body of a request to a member: an inference request of the Open Inference Protocol over joined rows.
struct MemberRequestBody {
    private(set) var bytes: [UInt8] = []

    /// - Parameters:
    ///   - parts: rows of one layout.
    ///   - inputs: names of the tensors to send; nil for all.
    ///   - output: the output to ask for; nil for all.
    init(_ parts: [RowSelection], inputs: Set<String>?, output: String?) {
        let count = parts.reduce(0) { $0 + $1.count }
        guard let source = parts.first?.source else { return }
        write(#"{"inputs":["#)
        var isFirst = true
        func wants(_ name: String) -> Bool { inputs?.contains(name) ?? true }
        for (index, tensor) in source.tensors.enumerated() where wants(tensor.name) {
            begin(tensor.name, tensor.datatype, [count] + tensor.rowShape, &isFirst)
            writeRows(parts) { $0.tensors[index].text(ofRow: $1) }
        }
        for (name, texts) in [
            (OptionalTensor.group.rawValue, \RawRows.groups), (OptionalTensor.key.rawValue, \RawRows.keys),
        ] where source[keyPath: texts] != nil && wants(name) {
            begin(name, "BYTES", [count], &isFirst)
            writeRows(parts) { rows, row in CanonicalValue.string(rows[keyPath: texts]?[row] ?? "").bytes[...] }
        }
        write("]")
        if let output { write(#","outputs":[{"name":\#(Self.quoted(output))}]"#) }
        write("}")
    }

    private mutating func begin(_ name: String, _ datatype: String, _ shape: [Int], _ isFirst: inout Bool) {
        if !isFirst { write(",") }
        isFirst = false
        let shape = shape.map(\.description).joined(separator: ",")
        write(#"{"name":\#(Self.quoted(name)),"datatype":\#(Self.quoted(datatype)),"shape":[\#(shape)],"data":["#)
    }

    private mutating func writeRows(_ parts: [RowSelection], _ text: (RawRows, Int) -> ArraySlice<UInt8>) {
        var isFirst = true
        for part in parts {
            for row in part.rows {
                if !isFirst { bytes.append(UInt8(ascii: ",")) }
                isFirst = false
                bytes += text(part.source, row)
            }
        }
        write("]}")
    }

    private mutating func write(_ text: String) { bytes += text.utf8 }

    private static func quoted(_ text: String) -> String {
        String(decoding: CanonicalValue.string(text).bytes, as: UTF8.self)
    }
}

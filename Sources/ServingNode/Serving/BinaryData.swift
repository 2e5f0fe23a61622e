import EnsembleModel

/// The protocol's binary tensor data extension: data of tensors after the JSON of a body, one after the other in the
/// order of the tensors; numbers little-endian and without gaps, elements of BYTES each after its length in 32 bits.
struct BinaryData {
    /// The header that says how many bytes of a body are JSON.
    static let header = "Inference-Header-Content-Length"

    /// What no tensor has taken yet.
    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8> = []) { rest = bytes }

    /// Splits a body into its JSON and what follows it.
    ///
    /// - Parameter jsonLength: what the header says; nil when there is none, and all is JSON.
    static func split(
        _ body: [UInt8], jsonLength: String?, limits: NodeLimits
    ) throws(NodeError) -> (json: [UInt8], data: BinaryData) {
        guard let jsonLength else { return (body, BinaryData()) }
        guard let length = Int(jsonLength), (0...body.count).contains(length) else {
            throw NodeError(
                .badRequest,
                "\(header) is '\(jsonLength.prefix(40))'; it must be the number of bytes that are JSON, "
                    + "of the \(body.count) of the body")
        }
        guard body.count - length <= limits.binaryBytes else {
            throw NodeError(
                .tooLarge,
                "the request has \(body.count - length) bytes of binary data; the limit is \(limits.binaryBytes): send "
                    + "fewer rows a request")
        }
        return (Array(body[..<length]), BinaryData(body[length...]))
    }

    /// Takes the next tensor's data.
    ///
    /// - Parameters:
    ///   - size: its bytes, as the request says.
    ///   - title: the tensor, for messages.
    ///   - isRaw: whether the elements are kept as the text that JSON has for them.
    /// - Throws: ``NodeError`` with code `badRequest` saying what is not as datatype and shape say.
    mutating func take(
        _ size: Int, datatype: String, shape: [Int], title: String, isRaw: Bool
    ) throws(NodeError) -> InferenceRequest.Tensor.Values {
        guard size <= rest.count else {
            throw NodeError(
                .badRequest,
                "\(title) has \(size) bytes of binary data, but only \(rest.count) are left after the JSON, "
                    + "whose length the header \(Self.header) must say")
        }
        let bytes = rest.prefix(size)
        rest = rest.dropFirst(size)
        var count: Int? = 1
        for extent in shape { count = count.flatMap { Self.product($0, extent) } }
        guard let type = BinaryDatatype(rawValue: datatype) else {
            throw NodeError(
                .badRequest,
                "\(title) is of datatype \(datatype.prefix(40)), of which no binary data is read: send one of "
                    + BinaryDatatype.allCases.map(\.rawValue).joined(separator: ", "))
        }
        guard let elementSize = type.size else {
            let texts = try Self.texts(bytes, title)
            guard texts.count == count else {
                throw NodeError(
                    .badRequest, "the binary data of \(title) has \(texts.count) elements; its shape is \(shape)")
            }
            guard isRaw else { return .texts(texts) }
            return .raw(texts.reduce(into: RawElements()) { $0.append(CanonicalValue.string($1).bytes[...]) })
        }
        guard let count, Self.product(count, elementSize) == size else {
            throw NodeError(
                .badRequest,
                "\(title) has \(size) bytes of binary data; that is not what \(datatype) \(shape) takes, "
                    + "\(elementSize) bytes an element")
        }
        return try isRaw ? .raw(Self.raw(bytes, type, elementSize, title)) : Self.numbers(bytes, type, title)
    }

    /// Makes sure that nothing is left.
    func end() throws(NodeError) {
        guard rest.isEmpty else {
            throw NodeError(
                .badRequest,
                "\(rest.count) bytes of binary data are no tensor's: each tensor must say its bytes "
                    + "in its parameter 'binary_data_size'")
        }
    }

    private static func product(_ left: Int, _ right: Int) -> Int? {
        let (product, overflows) = left.multipliedReportingOverflow(by: right)
        return overflows ? nil : product
    }

    private static func texts(_ bytes: ArraySlice<UInt8>, _ title: String) throws(NodeError) -> [String] {
        var texts: [String] = []
        var rest = bytes
        while !rest.isEmpty {
            let length = rest.count < 4 ? nil : Int(littleEndian(UInt32.self, rest.prefix(4)))
            guard let length, length <= rest.count - 4 else {
                throw NodeError(.badRequest, "the binary data of \(title) ends within element \(texts.count)")
            }
            guard let text = String(validating: rest.dropFirst(4).prefix(length), as: UTF8.self) else {
                throw NodeError(.badRequest, "element \(texts.count) of \(title) is not UTF-8")
            }
            texts.append(text)
            rest = rest.dropFirst(4 + length)
        }
        return texts
    }

    /// Numbers, rounded to 32 bits as those in JSON are. Of integers none is read: whatever they are meant for refuses
    /// them by their datatype.
    private static func numbers(
        _ bytes: ArraySlice<UInt8>, _ type: BinaryDatatype, _ title: String
    ) throws(NodeError) -> InferenceRequest.Tensor.Values {
        let numbers: [Float] =
            switch type {
            case .fp32: words(bytes).map { Float(bitPattern: $0) }
            case .fp64: words(bytes).map { Float(Double(bitPattern: $0)) }
            default: []
            }
        if let index = numbers.firstIndex(where: { !$0.isFinite }) { throw notFinite(index, title) }
        return .numbers(numbers)
    }

    private static func words<Word: FixedWidthInteger>(_ bytes: ArraySlice<UInt8>) -> [Word] {
        bytes.withUnsafeBytes { bytes in
            stride(from: 0, to: bytes.count, by: Word.bitWidth / 8).map {
                Word(littleEndian: bytes.loadUnaligned(fromByteOffset: $0, as: Word.self))
            }
        }
    }

    private static func raw(
        _ bytes: ArraySlice<UInt8>, _ type: BinaryDatatype, _ size: Int, _ title: String
    ) throws(NodeError) -> RawElements {
        var elements = RawElements()
        for start in stride(from: bytes.startIndex, to: bytes.endIndex, by: size) {
            guard let text = type.json(bytes[start..<start + size]) else {
                guard type != .bool else {
                    throw NodeError(.badRequest, "value \(elements.count) of \(title) is neither 0 nor 1")
                }
                throw notFinite(elements.count, title)
            }
            elements.append(Array(text.utf8)[...])
        }
        return elements
    }

    private static func notFinite(_ index: Int, _ title: String) -> NodeError {
        NodeError(.badRequest, "value \(index) of \(title) is too large or no number: every value must be finite")
    }
}

/// The datatypes that binary data is read of: those of the protocol.
private enum BinaryDatatype: String, CaseIterable {
    case bool = "BOOL"
    case uint8 = "UINT8"
    case uint16 = "UINT16"
    case uint32 = "UINT32"
    case uint64 = "UINT64"
    case int8 = "INT8"
    case int16 = "INT16"
    case int32 = "INT32"
    case int64 = "INT64"
    case fp16 = "FP16"
    case fp32 = "FP32"
    case fp64 = "FP64"
    case bytes = "BYTES"

    /// Bytes of an element; nil where each has its own length.
    var size: Int? {
        switch self {
        case .bool, .uint8, .int8: 1
        case .uint16, .int16, .fp16: 2
        case .uint32, .int32, .fp32: 4
        case .uint64, .int64, .fp64: 8
        case .bytes: nil
        }
    }

    /// The JSON of an element of a fixed size; nil where there is none.
    func json(_ element: ArraySlice<UInt8>) -> String? {
        switch self {
        case .bool: element.first.flatMap { $0 > 1 ? nil : $0 == 1 ? "true" : "false" }
        case .uint8: littleEndian(UInt8.self, element).description
        case .uint16: littleEndian(UInt16.self, element).description
        case .uint32: littleEndian(UInt32.self, element).description
        case .uint64: littleEndian(UInt64.self, element).description
        case .int8: littleEndian(Int8.self, element).description
        case .int16: littleEndian(Int16.self, element).description
        case .int32: littleEndian(Int32.self, element).description
        case .int64: littleEndian(Int64.self, element).description
        case .fp16: Self.json(Self.half(littleEndian(UInt16.self, element)))
        case .fp32: Self.json(Float(bitPattern: littleEndian(UInt32.self, element)))
        case .fp64: Self.json(Double(bitPattern: littleEndian(UInt64.self, element)))
        case .bytes: nil
        }
    }

    /// The shortest text that reads back as the same number.
    private static func json(_ value: some BinaryFloatingPoint & CustomStringConvertible) -> String? {
        value.isFinite ? value.description : nil
    }

    /// A number of IEEE 754's binary16. As the exponents' biases are 15 and 127, its bits in a Float's places are the
    /// number divided by 2^112.
    private static func half(_ bits: UInt16) -> Float {
        let isFinite = bits & 0x7C00 != 0x7C00
        let magnitude = isFinite ? Float(bitPattern: UInt32(bits & 0x7FFF) << 13) * 0x1p112 : .nan
        return bits & 0x8000 == 0 ? magnitude : -magnitude
    }
}

/// The number whose bytes these are.
private func littleEndian<Number: FixedWidthInteger>(_ type: Number.Type, _ bytes: ArraySlice<UInt8>) -> Number {
    bytes.reversed().reduce(0) { $0 << 8 | Number(truncatingIfNeeded: $1) }
}

/// Reads one tensor of a request or an answer; its members may come in any order.
struct TensorReader {
    private let place: String
    private var name: String?
    private var datatype: String?
    private var shape: [Int]?
    private var numbers: [Float] = []
    private var texts: [String] = []
    private var raw: RawElements?
    private var hasData = false
    private var rowWidth: Int?
    /// Bytes of the data that follows the JSON.
    private var binarySize: Int?
    /// The data, where it came before the name.
    private var later: JSONReader?
    private let isRaw: (String) -> Bool

    /// Reads the tensor that comes next.
    ///
    /// - Parameters:
    ///   - place: where it is, for messages.
    ///   - binary: what follows the JSON; the tensor takes its part of it.
    ///   - isRaw: whether a tensor of this name is kept as text; of others the values are read.
    /// - Throws: ``NodeError`` with code `badRequest`.
    static func read(
        _ reader: inout JSONReader, place: String, binary: inout BinaryData, isRaw: @escaping (String) -> Bool
    ) throws(NodeError) -> InferenceRequest.Tensor {
        var tensor = TensorReader(place: place, isRaw: isRaw)
        try reader.object(place) { (reader, key) throws(NodeError) in
            switch key {
            case "name": tensor.name = try reader.string("the name of \(place)")
            case "datatype": tensor.datatype = try reader.string("the datatype of \(tensor.title)")
            case "shape": tensor.shape = try tensor.readShape(&reader)
            case "data": try tensor.readData(&reader)
            case "parameters": try tensor.readParameters(&reader)
            default: try reader.skip()
            }
        }
        if tensor.name != nil, var later = tensor.later { try tensor.readValues(&later) }
        return try tensor.finish(&binary)
    }

    private init(place: String, isRaw: @escaping (String) -> Bool) {
        self.place = place
        self.isRaw = isRaw
    }

    private var title: String { name.map { "tensor '\($0.prefix(256))'" } ?? place }

    private func finish(_ binary: inout BinaryData) throws(NodeError) -> InferenceRequest.Tensor {
        guard let name else { throw NodeError(.badRequest, "\(place) has no 'name'") }
        guard let datatype else { throw NodeError(.badRequest, "\(title) has no 'datatype'") }
        guard let shape else { throw NodeError(.badRequest, "\(title) has no 'shape'") }
        if let binarySize {
            guard !hasData else { throw NodeError(.badRequest, "\(title) has both 'data' and 'binary_data_size'") }
            let values = try binary.take(
                binarySize, datatype: datatype, shape: shape, title: title, isRaw: isRaw(name))
            return InferenceRequest.Tensor(name: name, datatype: datatype, shape: shape, values: values)
        }
        guard hasData else { throw NodeError(.badRequest, "\(title) has no 'data'") }
        guard numbers.isEmpty || texts.isEmpty else {
            throw NodeError(.badRequest, "the data of \(title) mixes numbers and strings")
        }
        let values = raw.map(InferenceRequest.Tensor.Values.raw) ?? (texts.isEmpty ? .numbers(numbers) : .texts(texts))
        return InferenceRequest.Tensor(
            name: name, datatype: datatype, shape: shape, values: values, rowWidth: rowWidth)
    }

    private func readShape(_ reader: inout JSONReader) throws(NodeError) -> [Int] {
        var shape: [Int] = []
        try reader.array("the shape of \(title)") { (reader) throws(NodeError) in
            let size = try reader.number("the shape of \(title)")
            guard shape.count < 8, let size = Int(exactly: size), size >= 0 else {
                throw NodeError(.badRequest, "the shape of \(title) must be a short list of sizes")
            }
            shape.append(size)
        }
        return shape
    }

    private mutating func readParameters(_ reader: inout JSONReader) throws(NodeError) {
        var (title, binarySize) = (title, binarySize)
        try reader.parameter("binary_data_size") { (reader) throws(NodeError) in
            let size = try reader.number("binary_data_size of \(title)")
            guard let size = Int(exactly: size), size >= 0 else {
                throw NodeError(.badRequest, "binary_data_size of \(title) must be a number of bytes")
            }
            binarySize = size
        }
        self.binarySize = binarySize
    }

    private mutating func readData(_ reader: inout JSONReader) throws(NodeError) {
        guard !hasData else { throw NodeError(.badRequest, "\(title) has 'data' twice") }
        hasData = true
        guard name == nil else { return try readValues(&reader) }
        later = reader
        try reader.skip()
    }

    private mutating func readValues(_ reader: inout JSONReader) throws(NodeError) {
        guard let name, isRaw(name) else { return try readNumbersOrTexts(&reader) }
        var elements = RawElements()
        try Self.readRaw(&reader, title, into: &elements)
        raw = elements
    }

    /// Elements as text, in arrays however deep.
    private static func readRaw(
        _ reader: inout JSONReader, _ title: String, into elements: inout RawElements
    ) throws(NodeError) {
        try reader.array("the data of \(title)") { (reader) throws(NodeError) in
            if reader.next() == .array {
                try readRaw(&reader, title, into: &elements)
            } else {
                elements.append(try reader.scalar("value \(elements.count) of \(title)"))
            }
        }
    }

    /// Flat, or one inner array a row; the protocol allows both.
    private mutating func readNumbersOrTexts(_ reader: inout JSONReader) throws(NodeError) {
        var (title, numbers, texts, rowWidth) = (title, [Float](), [String](), Int?.none)
        try reader.array("the data of \(title)") { (reader) throws(NodeError) in
            let count = numbers.count + texts.count
            guard reader.next() == .array else {
                guard rowWidth == nil else {
                    throw NodeError(.badRequest, "the data of \(title) mixes values and arrays")
                }
                return try Self.readValue(&reader, title, &numbers, &texts)
            }
            guard rowWidth != nil || count == 0 else {
                throw NodeError(.badRequest, "the data of \(title) mixes values and arrays")
            }
            try reader.array("the data of \(title)") { (reader) throws(NodeError) in
                try Self.readValue(&reader, title, &numbers, &texts)
            }
            let width = numbers.count + texts.count - count
            guard width == rowWidth ?? width else {
                throw NodeError(.badRequest, "the data of \(title) has rows of different lengths")
            }
            rowWidth = width
        }
        (self.numbers, self.texts, self.rowWidth) = (numbers, texts, rowWidth)
    }

    private static func readValue(
        _ reader: inout JSONReader, _ title: String, _ numbers: inout [Float], _ texts: inout [String]
    ) throws(NodeError) {
        switch reader.next() {
        case .string: texts.append(try reader.string(title))
        case .number:
            let value = Float(try reader.number(title))
            guard value.isFinite else {
                throw NodeError(
                    .badRequest, "value \(numbers.count) of \(title) is too large: every value must be finite")
            }
            numbers.append(value)
        case let kind:
            throw NodeError(
                .badRequest,
                "value \(numbers.count + texts.count) of \(title) is \(kind.rawValue): "
                    + "every value must be a finite number (or a string, in a tensor of BYTES)")
        }
    }
}

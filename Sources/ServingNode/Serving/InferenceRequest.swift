/// An inference request of the Open Inference Protocol v2, as sent: what it says about an ensemble is not yet checked.
struct InferenceRequest: Sendable {
    /// One named input.
    struct Tensor: Sendable {
        /// What a tensor holds, row by row.
        enum Values: Sendable {
            /// Rounded to 32 bits, as the registry trained.
            case numbers([Float])
            case texts([String])
        }

        var name: String
        var datatype: String
        var shape: [Int]
        var values: Values
        /// Lengths of the inner arrays, all the same; nil where the data is flat.
        var rowWidth: Int?
    }

    let id: String?
    let inputs: [Tensor]
    /// Names of the outputs wanted; nil for all.
    let outputs: [String]?

    /// Parses a request's JSON.
    ///
    /// - Throws: ``NodeError`` with code `badRequest` saying where it is not what the protocol asks for.
    init(body: [UInt8], limits: NodeLimits) throws(NodeError) {
        var reader = JSONReader(body, depthLimit: limits.jsonDepth)
        var (id, inputs, outputs): (String?, [Tensor]?, [String]?)
        try reader.object("the request") { (reader, key) throws(NodeError) in
            switch key {
            case "id": id = try reader.string("id")
            case "inputs":
                var tensors: [Tensor] = []
                try reader.array("inputs") { (reader) throws(NodeError) in
                    try tensors.append(TensorReader.read(&reader, place: "inputs[\(tensors.count)]"))
                }
                inputs = tensors
            case "outputs":
                var names: [String] = []
                try reader.array("outputs") { (reader) throws(NodeError) in
                    try names.append(Self.outputName(&reader, place: "outputs[\(names.count)]"))
                }
                outputs = names
            default: try reader.skip()
            }
        }
        try reader.end()
        guard let inputs else { throw NodeError(.badRequest, "the request has no 'inputs'") }
        self.id = id
        self.inputs = inputs
        self.outputs = outputs?.isEmpty == true ? nil : outputs
    }

    private static func outputName(_ reader: inout JSONReader, place: String) throws(NodeError) -> String {
        var name: String?
        try reader.object(place) { (reader, key) throws(NodeError) in
            if key == "name" { name = try reader.string("the name of \(place)") } else { try reader.skip() }
        }
        guard let name else { throw NodeError(.badRequest, "\(place) has no 'name'") }
        return name
    }
}

/// Reads one input; its members may come in any order.
private struct TensorReader {
    private let place: String
    private var name: String?
    private var datatype: String?
    private var shape: [Int]?
    private var numbers: [Float] = []
    private var texts: [String] = []
    private var hasData = false
    private var rowWidth: Int?

    static func read(_ reader: inout JSONReader, place: String) throws(NodeError) -> InferenceRequest.Tensor {
        var tensor = TensorReader(place: place)
        try reader.object(place) { (reader, key) throws(NodeError) in
            switch key {
            case "name": tensor.name = try reader.string("the name of \(place)")
            case "datatype": tensor.datatype = try reader.string("the datatype of \(tensor.title)")
            case "shape": tensor.shape = try tensor.readShape(&reader)
            case "data": try tensor.readData(&reader)
            default: try reader.skip()
            }
        }
        return try tensor.finish()
    }

    private init(place: String) { self.place = place }

    private var title: String { name.map { "tensor '\($0.prefix(256))'" } ?? place }

    private func finish() throws(NodeError) -> InferenceRequest.Tensor {
        guard let name else { throw NodeError(.badRequest, "\(place) has no 'name'") }
        guard let datatype else { throw NodeError(.badRequest, "\(title) has no 'datatype'") }
        guard let shape else { throw NodeError(.badRequest, "\(title) has no 'shape'") }
        guard hasData else { throw NodeError(.badRequest, "\(title) has no 'data'") }
        guard numbers.isEmpty || texts.isEmpty else {
            throw NodeError(.badRequest, "the data of \(title) mixes numbers and strings")
        }
        return InferenceRequest.Tensor(
            name: name, datatype: datatype, shape: shape, values: texts.isEmpty ? .numbers(numbers) : .texts(texts),
            rowWidth: rowWidth)
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

    /// Flat, or one inner array a row; the protocol allows both.
    private mutating func readData(_ reader: inout JSONReader) throws(NodeError) {
        guard !hasData else { throw NodeError(.badRequest, "\(title) has 'data' twice") }
        hasData = true
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

/// An inference request of the Open Inference Protocol v2, as sent: what it says about an ensemble is not yet checked.
struct InferenceRequest: Sendable {
    /// One named input.
    struct Tensor: Sendable {
        /// What a tensor holds, row by row.
        enum Values: Sendable {
            /// Rounded to 32 bits, as the registry trained.
            case numbers([Float])
            case texts([String])
            /// For members only.
            case raw(RawElements)
        }

        var name: String
        var datatype: String
        var shape: [Int]
        var values: Values
        /// Lengths of the inner arrays, all the same; nil where the data is flat.
        var rowWidth: Int?
    }

    /// An output that is wanted.
    struct Output: Sendable {
        var name: String
        /// Whether as binary data; nil where that is left to the request.
        var isBinary: Bool?
    }

    let id: String?
    let inputs: [Tensor]
    /// The outputs wanted; nil for all.
    let outputs: [Output]?
    /// Whether outputs that say nothing of it are wanted as binary data.
    let wantsBinary: Bool

    /// Parses a request's JSON, and the binary data after it.
    ///
    /// - Parameters:
    ///   - jsonLength: how many bytes are JSON, as a header says; nil for all.
    ///   - isRaw: whether a tensor of this name is kept as it is, for members only.
    /// - Throws: ``NodeError`` with code `badRequest` saying where it is not what the protocol asks for.
    init(
        body: [UInt8], jsonLength: String? = nil, limits: NodeLimits, isRaw: @escaping (String) -> Bool
    ) throws(NodeError) {
        let (json, data) = try BinaryData.split(body, jsonLength: jsonLength, limits: limits)
        var binary = data
        var reader = JSONReader(json, depthLimit: limits.jsonDepth)
        var (id, inputs, outputs): (String?, [Tensor]?, [Output]?)
        var wantsBinary = false
        try reader.object("the request") { (reader, key) throws(NodeError) in
            switch key {
            case "id": id = try reader.string("id")
            case "inputs":
                var tensors: [Tensor] = []
                try reader.array("inputs") { (reader) throws(NodeError) in
                    try tensors.append(
                        TensorReader.read(
                            &reader, place: "inputs[\(tensors.count)]", binary: &binary, isRaw: isRaw))
                }
                inputs = tensors
            case "outputs":
                var wanted: [Output] = []
                try reader.array("outputs") { (reader) throws(NodeError) in
                    try wanted.append(Self.output(&reader, place: "outputs[\(wanted.count)]"))
                }
                outputs = wanted
            case "parameters":
                try reader.parameter("binary_data_output") { (reader) throws(NodeError) in
                    wantsBinary = try reader.bool("binary_data_output")
                }
            default: try reader.skip()
            }
        }
        try reader.end()
        try binary.end()
        guard let inputs else { throw NodeError(.badRequest, "the request has no 'inputs'") }
        self.id = id
        self.inputs = inputs
        self.outputs = outputs?.isEmpty == true ? nil : outputs
        self.wantsBinary = wantsBinary
    }

    private static func output(_ reader: inout JSONReader, place: String) throws(NodeError) -> Output {
        var (name, isBinary): (String?, Bool?)
        try reader.object(place) { (reader, key) throws(NodeError) in
            switch key {
            case "name": name = try reader.string("the name of \(place)")
            case "parameters":
                try reader.parameter("binary_data") { (reader) throws(NodeError) in
                    isBinary = try reader.bool("binary_data of \(place)")
                }
            default: try reader.skip()
            }
        }
        guard let name else { throw NodeError(.badRequest, "\(place) has no 'name'") }
        return Output(name: name, isBinary: isBinary)
    }
}

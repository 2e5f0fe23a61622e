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

    let id: String?
    let inputs: [Tensor]
    /// Names of the outputs wanted; nil for all.
    let outputs: [String]?

    /// Parses a request's JSON.
    ///
    /// - Parameter isRaw: whether a tensor of this name is kept as it is, for members only.
    /// - Throws: ``NodeError`` with code `badRequest` saying where it is not what the protocol asks for.
    init(body: [UInt8], limits: NodeLimits, isRaw: @escaping (String) -> Bool) throws(NodeError) {
        var reader = JSONReader(body, depthLimit: limits.jsonDepth)
        var (id, inputs, outputs): (String?, [Tensor]?, [String]?)
        try reader.object("the request") { (reader, key) throws(NodeError) in
            switch key {
            case "id": id = try reader.string("id")
            case "inputs":
                var tensors: [Tensor] = []
                try reader.array("inputs") { (reader) throws(NodeError) in
                    try tensors.append(
                        TensorReader.read(&reader, place: "inputs[\(tensors.count)]", isRaw: isRaw))
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

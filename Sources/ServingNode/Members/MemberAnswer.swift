/// Reads what a member answers: probabilities, `[N, K]`.
struct MemberAnswer {
    /// Outputs' bytes are a small multiple of what N x K numbers need.
    static func byteLimit(rowCount: Int, classCount: Int) -> Int { 65_536 + rowCount * classCount * 64 }

    /// N x K probabilities, row by row.
    let probabilities: [Float]

    /// Reads the JSON of an answer.
    ///
    /// - Parameter output: the output asked for; nil for the only one, or the one named `probabilities`.
    /// - Throws: ``MemberFault`` with code `badAnswer`.
    init(
        body: [UInt8], rowCount: Int, classCount: Int, output: String?, depthLimit: Int
    ) throws(MemberFault) {
        var tensors: [InferenceRequest.Tensor] = []
        // Data after the JSON is not asked for.
        var none = BinaryData()
        do {
            var reader = JSONReader(body, depthLimit: depthLimit)
            try reader.object("the answer") { (reader, key) throws(NodeError) in
                guard key == "outputs" else { return try reader.skip() }
                try reader.array("outputs") { (reader) throws(NodeError) in
                    let place = "outputs[\(tensors.count)]"
                    try tensors.append(
                        TensorReader.read(&reader, place: place, binary: &none) { name in
                            output.map { $0 != name } ?? false
                        })
                }
            }
            try reader.end()
        } catch {
            throw MemberFault(.badAnswer, error.message)
        }
        let wanted = output ?? (tensors.count == 1 ? tensors.first?.name : OutputTensor.probabilities.rawValue)
        guard let tensor = tensors.first(where: { $0.name == wanted }) else {
            throw MemberFault(.badAnswer, "the answer has no output '\(wanted ?? "")'")
        }
        guard ["FP32", "FP64"].contains(tensor.datatype), tensor.shape == [rowCount, classCount],
            case .numbers(let values) = tensor.values, values.count == rowCount * classCount,
            tensor.rowWidth == nil || tensor.rowWidth == classCount
        else {
            throw MemberFault(
                .badAnswer,
                "its output is \(tensor.datatype.prefix(40)) \(tensor.shape.prefix(8)); "
                    + "it must be FP32 or FP64 [\(rowCount), \(classCount)]")
        }
        probabilities = values
    }
}

extension RandomAccessCollection<Float> where Index == Int {
    /// The first row that is no row of probabilities: negative, not finite or not of sum 1 to 1e-3.
    func firstImproperRow(classCount: Int) -> Int? {
        for first in stride(from: startIndex, to: endIndex, by: classCount) {
            var (sum, least) = (0.0, 0.0)
            for value in self[first..<first + classCount] {
                sum += Double(value)
                least = Swift.min(least, Double(value))
            }
            // What the registry accepts of predictions; the combiner knows nothing else.
            guard least >= 0, abs(sum - 1) <= 1e-3 + 1e-9 else { return (first - startIndex) / classCount }
        }
        return nil
    }
}

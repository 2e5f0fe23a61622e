import EnsembleModel

/// An inference request, checked against the ensemble that is to answer it.
struct EnsembleInput: Sendable {
    let rowCount: Int
    /// N x K probabilities that the request brings, by the member's place in model order.
    let given: [Int: [Float]]
    /// Places of the members to call: those whose tensor the request leaves out.
    let absent: [Int]
    /// What members are told of the rows.
    let rows: RawRows
}

extension LoadedEnsemble {
    /// Whether a tensor of this name is for members only.
    func isRaw(_ name: String) -> Bool { !tensorNames.contains(name) && OptionalTensor(rawValue: name) == nil }

    /// Checks a request.
    ///
    /// - Throws: ``NodeError`` with code `badRequest` or `tooLarge` saying which tensor is wrong and what it should be.
    func input(_ request: InferenceRequest, limits: NodeLimits) throws(NodeError) -> EnsembleInput {
        var given: [String: InferenceRequest.Tensor] = [:]
        for tensor in request.inputs where given.updateValue(tensor, forKey: tensor.name) != nil {
            throw NodeError(.badRequest, "tensor '\(tensor.name.prefix(256))' is given twice")
        }
        let absent = tensorNames.indices.filter { given[tensorNames[$0]] == nil }
        let raw = request.inputs.filter { isRaw($0.name) }
        if let first = raw.first, absent.allSatisfy({ endpoints[$0] == nil }) {
            throw NodeError(.badRequest, "tensor '\(first.name.prefix(256))' is unknown; \(expectation)")
        }
        let hasRows = !raw.isEmpty || given[OptionalTensor.key.rawValue] != nil
        let missing = absent.filter { !hasRows || endpoints[$0] == nil }
        guard missing.isEmpty else {
            throw NodeError(
                .badRequest, "missing: \(missing.map { tensorNames[$0] }.joined(separator: ", ")); \(expectation)")
        }
        let members = tensorNames.compactMap { given[$0] }
        let rowCount =
            try members.isEmpty
            ? rowCount(ofRaw: raw + [given[OptionalTensor.key.rawValue]].compactMap { $0 }, limits: limits)
            : rowCount(members, limits: limits)
        let keys = try given[OptionalTensor.key.rawValue].map { (tensor) throws(NodeError) in
            try texts(tensor, rowCount: rowCount)
        }
        let groups = try groups(given[OptionalTensor.group.rawValue], rowCount: rowCount)
        var tensors: [RawTensor] = []
        for tensor in raw { try tensors.append(rawTensor(tensor, rowCount: rowCount)) }
        var values: [Int: [Float]] = [:]
        for (member, name) in tensorNames.enumerated() {
            if let tensor = given[name] { values[member] = try probabilities(tensor, rowCount: rowCount) }
        }
        return EnsembleInput(
            rowCount: rowCount, given: values, absent: absent,
            rows: RawRows(count: rowCount, keys: keys, groups: groups, tensors: tensors))
    }

    private var expectation: String {
        let isCallable = endpoints.contains { $0 != nil }
        return "'\(manifest.ensemble)' takes one tensor a member (\(tensorNames.joined(separator: ", ")))"
            + (isCallable ? ", or in place of those of members with an endpoint what these take" : "")
            + (seesGroups ? ", \(OptionalTensor.group.rawValue)" : "") + " and optionally "
            + optionalTensors.map(\.rawValue).joined(separator: ", ")
    }

    /// N, on which all tensors that are not members' agree.
    private func rowCount(ofRaw tensors: [InferenceRequest.Tensor], limits: NodeLimits) throws(NodeError) -> Int {
        guard let first = tensors.first, let count = first.shape.first, count >= 1 else {
            throw NodeError(
                .badRequest, "tensor '\(tensors.first?.name.prefix(256) ?? "")' has no rows: its shape must be [N, ...]"
            )
        }
        guard count <= limits.rows else {
            throw NodeError(
                .tooLarge, "tensor '\(first.name.prefix(256))' has \(count) rows; send at most \(limits.rows) a request"
            )
        }
        return count
    }

    /// A tensor for members.
    private func rawTensor(_ tensor: InferenceRequest.Tensor, rowCount: Int) throws(NodeError) -> RawTensor {
        let rowShape = Array(tensor.shape.dropFirst())
        var width: Int? = 1
        for size in rowShape { width = width.flatMap { Self.product($0, size) } }
        guard tensor.shape.first == rowCount, case .raw(let elements) = tensor.values, let width, width >= 1,
            elements.count.isMultiple(of: width), elements.count / width == rowCount
        else {
            throw NodeError(
                .badRequest,
                "tensor '\(tensor.name.prefix(256))' has shape \(tensor.shape); "
                    + "it must be [\(rowCount), ...] and have as many elements")
        }
        return RawTensor(name: tensor.name, datatype: tensor.datatype, rowShape: rowShape, elements: elements)
    }

    /// N, on which all members agree.
    private func rowCount(_ members: [InferenceRequest.Tensor], limits: NodeLimits) throws(NodeError) -> Int {
        var first: InferenceRequest.Tensor?
        for tensor in members {
            guard ["FP32", "FP64"].contains(tensor.datatype) else {
                throw NodeError(
                    .badRequest,
                    "tensor '\(tensor.name)' is of datatype \(tensor.datatype.prefix(40)); send FP32 or FP64")
            }
            guard tensor.shape.count == 2, tensor.shape[0] >= 1, tensor.shape[1] == classCount else {
                throw NodeError(
                    .badRequest,
                    "tensor '\(tensor.name)' has shape \(tensor.shape); send [N, \(classCount)]: "
                        + "one probability for each of the classes " + manifest.classes.joined(separator: ", "))
            }
            guard tensor.shape[0] <= limits.rows else {
                throw NodeError(
                    .tooLarge,
                    "tensor '\(tensor.name)' has \(tensor.shape[0]) rows; send at most \(limits.rows) a request")
            }
            if let first, tensor.shape[0] != first.shape[0] {
                throw NodeError(
                    .badRequest,
                    "tensor '\(tensor.name)' has \(tensor.shape[0]) rows, tensor '\(first.name)' has \(first.shape[0])")
            }
            first = first ?? tensor
        }
        return first?.shape[0] ?? 0
    }

    /// The strings of a tensor of BYTES, one a row.
    private func texts(_ tensor: InferenceRequest.Tensor, rowCount: Int) throws(NodeError) -> [String] {
        guard tensor.datatype == "BYTES", tensor.shape == [rowCount], case .texts(let texts) = tensor.values,
            texts.count == rowCount, tensor.rowWidth == nil
        else {
            throw NodeError(
                .badRequest,
                "tensor '\(tensor.name)' must be of datatype BYTES and shape [\(rowCount)], with a string for each row")
        }
        return texts
    }

    /// The group of each row; needed where the combiner sees groups.
    private func groups(_ tensor: InferenceRequest.Tensor?, rowCount: Int) throws(NodeError) -> [String]? {
        let groups = try tensor.map { (tensor) throws(NodeError) in try texts(tensor, rowCount: rowCount) }
        guard seesGroups else { return groups }
        guard let groups else {
            throw NodeError(
                .badRequest,
                "missing: group; '\(manifest.ensemble)' scores a row beside the others of its group: send all rows of "
                    + "a group in one request, with the tensor 'group' of datatype BYTES and shape [\(rowCount)] that "
                    + "names the group of each row (e.g. its query; a row without others is a group of its own)")
        }
        if let row = groups.firstIndex(of: "") {
            throw NodeError(
                .badRequest,
                "row \(row) of tensor 'group' is empty; name the row's group, a name of its own where it has no others")
        }
        return groups
    }

    /// A member's N x K probabilities.
    private func probabilities(_ tensor: InferenceRequest.Tensor, rowCount: Int) throws(NodeError) -> [Float] {
        guard case .numbers(let values) = tensor.values, values.count == rowCount * classCount,
            tensor.rowWidth == nil || tensor.rowWidth == classCount
        else {
            throw NodeError(
                .badRequest,
                "the data of tensor '\(tensor.name)' is not the \(rowCount * classCount) numbers "
                    + "of its shape \(tensor.shape)"
            )
        }
        for row in 0..<rowCount {
            var (sum, least) = (0.0, 0.0)
            for value in values[row * classCount..<(row + 1) * classCount] {
                sum += Double(value)
                least = min(least, Double(value))
            }
            // What the registry accepts of predictions; the combiner knows nothing else.
            guard least >= 0, abs(sum - 1) <= 1e-3 + 1e-9 else {
                throw NodeError(
                    .badRequest,
                    "row \(row) of tensor '\(tensor.name)' is no row of probabilities: it sums to \(sum), "
                        + "its least value is \(least); send probabilities (apply softmax to scores)")
            }
        }
        return values
    }

    private static func product(_ left: Int, _ right: Int) -> Int? {
        let (product, overflows) = left.multipliedReportingOverflow(by: right)
        return overflows ? nil : product
    }
}

import EnsembleModel
import Forest

extension LoadedEnsemble {
    /// What the ensemble says about N rows.
    struct Answer: Sendable {
        /// N x K, row by row.
        let probabilities: [Double]
        /// The most probable class of each row; the first of equals.
        let labels: [String]
    }

    /// Rows scored at a time: the combiner's input takes several times the memory of the request's numbers.
    private static let blockRows = 1024

    /// Scores a request.
    ///
    /// - Throws: ``NodeError`` with code `badRequest` or `tooLarge` saying which tensor is wrong and what it should be.
    func answer(_ request: InferenceRequest, limits: NodeLimits) throws(NodeError) -> Answer {
        let input = try input(request, limits: limits)
        var probabilities: [Double] = []
        for first in stride(from: 0, to: input.rowCount, by: Self.blockRows) {
            let rows = Array(first..<min(first + Self.blockRows, input.rowCount))
            probabilities += forest.probabilities(rows: MemberColumns.joined(input.columns, rows: rows))
        }
        let labels = stride(from: 0, to: probabilities.count, by: classCount).map { first in
            var best = 0
            for column in 1..<classCount where probabilities[first + column] > probabilities[first + best] {
                best = column
            }
            return manifest.classes[best]
        }
        return Answer(probabilities: probabilities, labels: labels)
    }

    /// The number of rows, and what the combiner sees of each member, in model order.
    ///
    /// A missing member is refused: the combiner was never trained on rows that lack one.
    private func input(
        _ request: InferenceRequest, limits: NodeLimits
    ) throws(NodeError) -> (rowCount: Int, columns: [MemberColumns]) {
        var given: [String: InferenceRequest.Tensor] = [:]
        for tensor in request.inputs {
            guard tensorNames.contains(tensor.name) || OptionalTensor(rawValue: tensor.name) != nil else {
                throw NodeError(.badRequest, "tensor '\(tensor.name.prefix(256))' is unknown; \(expectation)")
            }
            guard given.updateValue(tensor, forKey: tensor.name) == nil else {
                throw NodeError(.badRequest, "tensor '\(tensor.name)' is given twice")
            }
        }
        let missing = tensorNames.filter { given[$0] == nil }
        guard missing.isEmpty else {
            throw NodeError(.badRequest, "missing: \(missing.joined(separator: ", ")); \(expectation)")
        }
        let members = tensorNames.compactMap { given[$0] }
        let rowCount = try rowCount(members, limits: limits)
        if let key = given[OptionalTensor.key.rawValue] { _ = try texts(key, rowCount: rowCount) }
        let groups = try groups(given[OptionalTensor.group.rawValue], rowCount: rowCount)
        var values: [[Float]] = []
        for member in members { try values.append(probabilities(member, rowCount: rowCount)) }
        return (rowCount, columns(of: values, groups: groups))
    }

    private var expectation: String {
        "'\(manifest.ensemble)' takes one tensor a member (\(tensorNames.joined(separator: ", ")))"
            + (seesGroups ? ", \(OptionalTensor.group.rawValue)" : "") + " and optionally "
            + optionalTensors.map(\.rawValue).joined(separator: ", ")
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

    /// The group of each row, where the combiner sees groups.
    private func groups(_ tensor: InferenceRequest.Tensor?, rowCount: Int) throws(NodeError) -> [String]? {
        let groups = try tensor.map { (tensor) throws(NodeError) in try texts(tensor, rowCount: rowCount) }
        guard seesGroups else { return nil }
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
}

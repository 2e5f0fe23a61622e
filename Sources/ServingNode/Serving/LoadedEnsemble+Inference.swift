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

    /// Scores a request.
    ///
    /// - Throws: ``NodeError`` with code `badRequest` or `tooLarge` saying which tensor is wrong and what it should be.
    func answer(_ request: InferenceRequest, limits: NodeLimits) throws(NodeError) -> Answer {
        let probabilities = forest.probabilities(rows: try rows(request, limits: limits))
        let labels = stride(from: 0, to: probabilities.count, by: classCount).map { first in
            var best = 0
            for column in 1..<classCount where probabilities[first + column] > probabilities[first + best] {
                best = column
            }
            return manifest.classes[best]
        }
        return Answer(probabilities: probabilities, labels: labels)
    }

    /// The combiner's input, N x (members x K): each member's probabilities beside each other, in model order.
    ///
    /// A missing member is refused: the combiner was never trained on rows that lack one.
    private func rows(_ request: InferenceRequest, limits: NodeLimits) throws(NodeError) -> [Double] {
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
        for tensor in OptionalTensor.allCases.compactMap({ given[$0.rawValue] }) {
            try checkTexts(tensor, rowCount: rowCount)
        }
        return try assemble(members, rowCount: rowCount)
    }

    private var expectation: String {
        "'\(manifest.ensemble)' takes one tensor a member (\(tensorNames.joined(separator: ", "))) and optionally "
            + OptionalTensor.allCases.map(\.rawValue).joined(separator: ", ")
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

    private func checkTexts(_ tensor: InferenceRequest.Tensor, rowCount: Int) throws(NodeError) {
        guard tensor.datatype == "BYTES", tensor.shape == [rowCount], case .texts(let texts) = tensor.values,
            texts.count == rowCount, tensor.rowWidth == nil
        else {
            throw NodeError(
                .badRequest,
                "tensor '\(tensor.name)' must be of datatype BYTES and shape [\(rowCount)], with a string for each row")
        }
    }

    private func assemble(_ members: [InferenceRequest.Tensor], rowCount: Int) throws(NodeError) -> [Double] {
        let width = members.count * classCount
        var rows = [Double](repeating: 0, count: rowCount * width)
        for (member, tensor) in members.enumerated() {
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
                let (from, to) = (row * classCount, row * width + member * classCount)
                var sum = 0.0
                var least = 0.0
                for column in 0..<classCount {
                    let value = Double(values[from + column])
                    rows[to + column] = value
                    sum += value
                    least = min(least, value)
                }
                // What the registry accepts of predictions; the combiner knows nothing else.
                guard least >= 0, abs(sum - 1) <= 1e-3 + 1e-9 else {
                    throw NodeError(
                        .badRequest,
                        "row \(row) of tensor '\(tensor.name)' is no row of probabilities: it sums to \(sum), "
                            + "its least value is \(least); send probabilities (apply softmax to scores)")
                }
            }
        }
        return rows
    }
}

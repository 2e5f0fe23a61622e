import EnsembleModel

/// Outputs of the Open Inference Protocol that an ensemble has.
enum OutputTensor: String, CaseIterable {
    /// FP64 `[N, K]`.
    case probabilities
    /// BYTES `[N]`.
    case label

    /// The outputs a request asks for, in its order.
    static func wanted(by request: InferenceRequest) throws(NodeError) -> [OutputTensor] {
        guard let names = request.outputs else { return allCases }
        var wanted: [OutputTensor] = []
        for name in names {
            guard let output = OutputTensor(rawValue: name) else {
                throw NodeError(
                    .badRequest,
                    "output '\(name.prefix(256))' is unknown; "
                        + "there are \(allCases.map(\.rawValue).joined(separator: ", "))"
                )
            }
            guard !wanted.contains(output) else { throw NodeError(.badRequest, "output '\(name)' is asked for twice") }
            wanted.append(output)
        }
        return wanted
    }
}

/// The JSON of an answer, written straight to bytes: it is mostly numbers.
struct InferenceResponse {
    private(set) var bytes: [UInt8] = []

    /// Writes an answer.
    ///
    /// Parameters of the protocol are numbers, strings or booleans, so `members_missing` is a list in one string: names
    /// separated by commas, empty when all members were there.
    init(_ answer: LoadedEnsemble.Answer, of ensemble: LoadedEnsemble, id: String?, outputs: [OutputTensor]) {
        let manifest = ensemble.manifest
        bytes.reserveCapacity(256 + answer.probabilities.count * 20 + answer.labels.count * 16)
        write(#"{"model_name":\#(Self.quoted(manifest.ensemble)),"model_version":"\#(manifest.sequence)""#)
        if let id { write(#","id":\#(Self.quoted(id))"#) }
        write(#","parameters":{"sequence":\#(manifest.sequence),"content_id":"\#(manifest.contentID)""#)
        write(#","members_missing":""},"outputs":["#)
        for (index, output) in outputs.enumerated() {
            if index > 0 { write(",") }
            let rows = answer.labels.count
            switch output {
            case .probabilities:
                begin(output, datatype: "FP64", shape: [rows, ensemble.classCount])
                // A double's description is the shortest text that reads back as the same bits.
                writeList(answer.probabilities) { $0.description }
            case .label:
                begin(output, datatype: "BYTES", shape: [rows])
                writeList(answer.labels) { Self.quoted($0) }
            }
            write("]}")
        }
        write("]}")
    }

    private mutating func begin(_ output: OutputTensor, datatype: String, shape: [Int]) {
        let shape = shape.map(\.description).joined(separator: ",")
        write(#"{"name":"\#(output.rawValue)","datatype":"\#(datatype)","shape":[\#(shape)],"data":["#)
    }

    private mutating func writeList<Element>(_ list: [Element], _ text: (Element) -> String) {
        for (index, element) in list.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            write(text(element))
        }
    }

    private mutating func write(_ text: String) { bytes += text.utf8 }

    private static func quoted(_ text: String) -> String {
        String(decoding: CanonicalValue.string(text).bytes, as: UTF8.self)
    }
}

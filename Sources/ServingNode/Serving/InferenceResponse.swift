import EnsembleModel

/// Outputs of the Open Inference Protocol that an ensemble has.
enum OutputTensor: String, CaseIterable {
    /// FP64 `[N, K]`.
    case probabilities
    /// BYTES `[N]`.
    case label
    /// BYTES `[N]`: names of the members that a row was answered without, separated by commas. Given where a row lacks
    /// any, or on demand.
    case membersMissing = "members_missing"

    /// The outputs a request asks for, in its order; nil when it leaves that to the node.
    static func wanted(by request: InferenceRequest) throws(NodeError) -> [OutputTensor]? {
        guard let names = request.outputs else { return nil }
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
    /// separated by commas, empty when all members were there. It names those that any row was answered without; the
    /// output of the same name says which rows.
    init(_ answer: EnsembleServing.Answer, of ensemble: LoadedEnsemble, id: String?, outputs: [OutputTensor]?) {
        let manifest = ensemble.manifest
        let outputs =
            outputs ?? OutputTensor.allCases.filter { $0 != .membersMissing || !answer.missingAnywhere.isEmpty }
        func names(_ members: [Int]) -> String { members.map { ensemble.tensorNames[$0] }.joined(separator: ",") }
        bytes.reserveCapacity(256 + answer.probabilities.count * 20 + answer.labels.count * 16)
        write(#"{"model_name":\#(Self.quoted(manifest.ensemble)),"model_version":"\#(manifest.sequence)""#)
        if let id { write(#","id":\#(Self.quoted(id))"#) }
        write(#","parameters":{"sequence":\#(manifest.sequence),"content_id":"\#(manifest.contentID)""#)
        write(#","members_missing":\#(Self.quoted(names(answer.missingAnywhere)))},"outputs":["#)
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
            case .membersMissing:
                begin(output, datatype: "BYTES", shape: [rows])
                writeList(0..<rows) { Self.quoted(answer.missing.isEmpty ? "" : names(answer.missing[$0])) }
            }
            write("]}")
        }
        write("]}")
    }

    private mutating func begin(_ output: OutputTensor, datatype: String, shape: [Int]) {
        let shape = shape.map(\.description).joined(separator: ",")
        write(#"{"name":"\#(output.rawValue)","datatype":"\#(datatype)","shape":[\#(shape)],"data":["#)
    }

    private mutating func writeList<List: Sequence>(_ list: List, _ text: (List.Element) -> String) {
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

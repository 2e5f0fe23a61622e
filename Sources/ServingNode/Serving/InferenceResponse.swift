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
        guard let outputs = request.outputs else { return nil }
        var wanted: [OutputTensor] = []
        for output in outputs {
            guard let tensor = OutputTensor(rawValue: output.name) else {
                throw NodeError(
                    .badRequest,
                    "output '\(output.name.prefix(256))' is unknown; "
                        + "there are \(allCases.map(\.rawValue).joined(separator: ", "))"
                )
            }
            guard !wanted.contains(tensor) else {
                throw NodeError(.badRequest, "output '\(output.name)' is asked for twice")
            }
            wanted.append(tensor)
        }
        return wanted
    }
}

/// An answer, written straight to bytes, as it is mostly numbers: JSON, and after it the data of those outputs that are
/// wanted as binary data.
struct InferenceResponse {
    private(set) var bytes: [UInt8] = []
    /// How many of the bytes are JSON; nil when all are.
    private(set) var jsonLength: Int?
    private var binary: [UInt8] = []

    /// Writes an answer.
    ///
    /// Parameters of the protocol are numbers, strings or booleans, so `members_missing` is a list in one string: names
    /// separated by commas, empty when all members were there. It names those that any row was answered without; the
    /// output of the same name says which rows.
    init(
        _ answer: EnsembleServing.Answer, of ensemble: LoadedEnsemble, to request: InferenceRequest,
        outputs: [OutputTensor]?
    ) {
        let manifest = ensemble.manifest
        let outputs =
            outputs ?? OutputTensor.allCases.filter { $0 != .membersMissing || !answer.missingAnywhere.isEmpty }
        let binaryOutputs = request.binaryOutputs(outputs)
        func names(_ members: [Int]) -> String { members.map { ensemble.tensorNames[$0] }.joined(separator: ",") }
        bytes.reserveCapacity(256 + answer.probabilities.count * 20 + answer.labels.count * 16)
        write(#"{"model_name":\#(Self.quoted(manifest.ensemble)),"model_version":"\#(manifest.sequence)""#)
        if let id = request.id { write(#","id":\#(Self.quoted(id))"#) }
        write(#","parameters":{"sequence":\#(manifest.sequence),"content_id":"\#(manifest.contentID)""#)
        write(#","members_missing":\#(Self.quoted(names(answer.missingAnywhere)))},"outputs":["#)
        let rows = answer.labels.count
        for (index, output) in outputs.enumerated() {
            if index > 0 { write(",") }
            let isBinary = binaryOutputs.contains(output)
            switch output {
            case .probabilities:
                begin(output, datatype: "FP64", shape: [rows, ensemble.classCount])
                write(answer.probabilities, isBinary: isBinary)
            case .label:
                begin(output, datatype: "BYTES", shape: [rows])
                write(answer.labels, isBinary: isBinary)
            case .membersMissing:
                begin(output, datatype: "BYTES", shape: [rows])
                let missing = (0..<rows).map { answer.missing.isEmpty ? "" : names(answer.missing[$0]) }
                write(missing, isBinary: isBinary)
            }
            write("}")
        }
        write("]}")
        guard !binaryOutputs.isEmpty else { return }
        jsonLength = bytes.count
        bytes += binary
    }

    private mutating func begin(_ output: OutputTensor, datatype: String, shape: [Int]) {
        let shape = shape.map(\.description).joined(separator: ",")
        write(#"{"name":"\#(output.rawValue)","datatype":"\#(datatype)","shape":[\#(shape)],"#)
    }

    private mutating func write(_ numbers: [Double], isBinary: Bool) {
        // A double's description is the shortest text that reads back as the same bits.
        guard isBinary else { return writeList(numbers) { $0.description } }
        let start = binary.count
        for number in numbers { withUnsafeBytes(of: number.bitPattern.littleEndian) { binary += $0 } }
        writeBinarySize(since: start)
    }

    private mutating func write(_ texts: [String], isBinary: Bool) {
        guard isBinary else { return writeList(texts) { Self.quoted($0) } }
        let start = binary.count
        for text in texts {
            withUnsafeBytes(of: UInt32(truncatingIfNeeded: text.utf8.count).littleEndian) { binary += $0 }
            binary += text.utf8
        }
        writeBinarySize(since: start)
    }

    private mutating func writeBinarySize(since start: Int) {
        write(#""parameters":{"binary_data_size":\#(binary.count - start)}"#)
    }

    private mutating func writeList<List: Sequence>(_ list: List, _ text: (List.Element) -> String) {
        write(#""data":["#)
        for (index, element) in list.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            write(text(element))
        }
        write("]")
    }

    private mutating func write(_ text: String) { bytes += text.utf8 }

    private static func quoted(_ text: String) -> String {
        String(decoding: CanonicalValue.string(text).bytes, as: UTF8.self)
    }
}

extension InferenceRequest {
    /// Those of the outputs given that it wants as binary data.
    fileprivate func binaryOutputs(_ given: [OutputTensor]) -> Set<OutputTensor> {
        guard let outputs else { return wantsBinary ? Set(given) : [] }
        let binary = outputs.filter { $0.isBinary ?? wantsBinary }
        return Set(binary.compactMap { OutputTensor(rawValue: $0.name) })
    }
}

import Testing

@testable import ServingNode

/// The text of an inference request, to be spoilt part by part.
struct InferenceBody: Sendable {
    struct Input: Sendable {
        var name: String
        var datatype: String
        var shape: String
        var data: String
    }

    var inputs: [Input]
    var extra = ""

    init(_ model: TextModel, isNested: Bool = false, datatype: String = "FP32") {
        inputs = ["knn", "minilm", "svm"].prefix(model.members).enumerated().map { member, name in
            let rows = model.rows.map { row in
                row[member * 3..<member * 3 + 3].map(\.description).joined(separator: ", ")
            }
            let data = (isNested ? rows.map { "[\($0)]" } : rows).joined(separator: ", ")
            return Input(name: name, datatype: datatype, shape: "[3, 3]", data: "[\(data)]")
        }
    }

    /// - Parameter members: N x 3 probabilities of each member.
    init(members: [[Float]], groups: [String]?) {
        inputs = zip(["knn", "minilm", "svm"], members).map { name, values in
            let data = values.map(\.description).joined(separator: ", ")
            return Input(name: name, datatype: "FP32", shape: "[\(values.count / 3), 3]", data: "[\(data)]")
        }
        guard let groups else { return }
        let data = groups.map { "\"\($0)\"" }.joined(separator: ", ")
        inputs.append(.init(name: "group", datatype: "BYTES", shape: "[\(groups.count)]", data: "[\(data)]"))
    }

    var json: String {
        let tensors = inputs.map { input in
            #"{"name": "\#(input.name)", "shape": \#(input.shape), "datatype": "\#(input.datatype)", "#
                + #""data": \#(input.data)}"#
        }
        return #"{"inputs": [\#(tensors.joined(separator: ", "))]\#(extra)}"#
    }
}

/// A request that must be refused, and what the answer must say.
struct BadRequest: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var status = 400
    var says: String
    var path = "/v2/models/digits/infer"
    var body: String

    init(_ description: String, says: String, status: Int = 400, body: String) {
        testDescription = description
        self.says = says
        self.status = status
        self.body = body
    }

    /// A good request, changed.
    init(_ description: String, says: String, status: Int = 400, change: (inout InferenceBody) -> Void) {
        var body = InferenceBody(.two)
        change(&body)
        self.init(description, says: says, status: status, body: body.json)
    }

    /// A good request, changed in its first tensor.
    static func first(
        _ description: String, says: String, status: Int = 400, _ change: (inout InferenceBody.Input) -> Void
    ) -> Self {
        BadRequest(description, says: says, status: status) { change(&$0.inputs[0]) }
    }

    static func elsewhere(_ path: String, says: String, status: Int) -> Self {
        var request = BadRequest(path, says: says, status: status) { _ in }
        request.path = path
        return request
    }

    static let all: [BadRequest] = [
        BadRequest("empty", says: "not valid JSON at byte 0", body: ""),
        BadRequest("list", says: "the request must be an object, but is an array", body: "[]"),
        BadRequest("no inputs", says: "no 'inputs'", body: "{}"),
        BadRequest("cut off", says: "not valid JSON", body: String(InferenceBody(.two).json.dropLast())),
        BadRequest("goes on", says: "not valid JSON", body: InferenceBody(.two).json + "{}"),
        BadRequest("deep", says: "more than 32 levels", body: #"{"x": "# + String(repeating: "[", count: 1000)),
        BadRequest("no UTF-8", says: "not valid JSON", body: #"{"id": "\ud800"}"#),
        BadRequest("tensor without name", says: "inputs[0] has no 'name'", body: #"{"inputs": [{}]}"#),
        BadRequest("tensor without data", says: "tensor 'knn' has no 'data'") { body in
            body.inputs = []
            body.extra = #", "inputs": [{"name": "knn", "datatype": "FP32", "shape": [1, 3]}]"#
        },
        BadRequest("missing", says: "missing: minilm; 'digits' takes one tensor a member (knn, minilm)") {
            $0.inputs.removeLast()
        },
        BadRequest("missing, and allowed to be", says: "missing: minilm") {
            $0.inputs.removeLast()
            $0.extra = #", "parameters": {"allow_missing": true}"#
        },
        .first("unknown", says: "tensor 'svm' is unknown") { $0.name = "svm" },
        .first("twice", says: "tensor 'minilm' is given twice") { $0.name = "minilm" },
        .first("INT64", says: "is of datatype INT64; send FP32 or FP64") { $0.datatype = "INT64" },
        .first("strings", says: "is not the 9 numbers") { $0.data = #"["1", "2", "3", "4", "5", "6", "7", "8", "9"]"# },
        .first("numbers and strings", says: "mixes numbers and strings") { $0.data = #"[1, "2"]"# },
        .first("flat and nested", says: "mixes values and arrays") { $0.data = "[[1, 2, 3], 4, 5, 6, 7, 8, 9]" },
        .first("nested and flat", says: "mixes values and arrays") { $0.data = "[1, [2, 3]]" },
        .first("ragged", says: "rows of different lengths") { $0.data = "[[1, 2, 3], [4, 5], [6, 7, 8, 9]]" },
        .first("other nesting", says: "is not the 9 numbers") { $0.data = "[[1, 2, 3, 4, 5, 6, 7, 8, 9]]" },
        .first("too deep", says: "is an array") { $0.data = "[[[1]]]" },
        .first("null", says: "value 1 of tensor 'knn' is null: every value must be a finite number") {
            $0.data = "[1, null]"
        },
        .first("no sum of one", says: "row 1 of tensor 'knn' is no row of probabilities: it sums to 1.5") {
            $0.data = "[0.5, 0.5, 0, 0.5, 0.5, 0.5, 1, 0, 0]"
        },
        .first("negative", says: "its least value is -0.5") { $0.data = "[1, 0.5, -0.5, 1, 0, 0, 1, 0, 0]" },
        .first("NaN", says: "is no value") { $0.data = "[NaN]" },
        .first("infinite", says: "value 0 of tensor 'knn' is too large") { $0.data = "[1e999]" },
        .first("infinite in 32 bits", says: "too large") { $0.data = "[-1e39]" },
        .first("one dimension", says: "has shape [9]; send [N, 3]") { $0.shape = "[9]" },
        .first("other K", says: "for each of the classes cat, dog, eel") { $0.shape = "[3, 4]" },
        .first("no rows", says: "has shape [0, 3]") { ($0.shape, $0.data) = ("[0, 3]", "[]") },
        .first("negative", says: "list of sizes") { $0.shape = "[-1, 3]" },
        .first("half a row", says: "list of sizes") { $0.shape = "[1.5, 3]" },
        .first("other N", says: "tensor 'minilm' has 3 rows, tensor 'knn' has 2") {
            ($0.shape, $0.data) = ("[2, 3]", "[1,0,0,1,0,0]")
        },
        .first("fewer numbers", says: "is not the 9 numbers of its shape [3, 3]") { $0.data = "[1, 0, 0]" },
        .first("many rows", says: "has 101 rows; send at most 100", status: 413) { $0.shape = "[101, 3]" },
        .first("many more rows", says: "send at most 100", status: 413) { $0.shape = "[4611686018427387904, 3]" },
        BadRequest("large body", says: "larger than 4096 bytes", status: 413) {
            $0.extra = String(repeating: " ", count: 4096)
        },
        BadRequest("key as numbers", says: "tensor 'key' must be of datatype BYTES and shape [3]") {
            $0.inputs.append(.init(name: "key", datatype: "BYTES", shape: "[3]", data: "[1, 2, 3]"))
        },
        BadRequest("short group", says: "tensor 'group' must be of datatype BYTES and shape [3]") {
            $0.inputs.append(.init(name: "group", datatype: "BYTES", shape: "[2]", data: #"["a", "b"]"#))
        },
        BadRequest("unknown output", says: "output 'scores' is unknown; there are probabilities, label") {
            $0.extra = #", "outputs": [{"name": "scores"}]"#
        },
        BadRequest("output twice", says: "asked for twice") {
            $0.extra = #", "outputs": [{"name": "label"}, {"name": "label"}]"#
        },
        BadRequest("output without name", says: "outputs[0] has no 'name'") { $0.extra = #", "outputs": [{}]"# },
        BadRequest("numeric id", says: "id must be a string, but is a number") { $0.extra = #", "id": 7"# },
        .elsewhere("/v2/models/faces/infer", says: "model 'faces' is not served here; there is digits", status: 404),
        .elsewhere(
            "/v2/models/digits/versions/2/infer", says: "version '2' of 'digits' is not served; the current one is 1",
            status: 404),
        .elsewhere("/v1/models/digits:predict", says: "there is no such path", status: 404),
    ]
}

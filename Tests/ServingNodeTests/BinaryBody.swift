import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import NIOCore
import RegistryTesting
import Testing

@testable import ServingNode

/// An inference request whose tensors follow its JSON, to be spoilt part by part.
struct BinaryBody: Sendable {
    struct Input: Sendable {
        var name: String
        var datatype: String
        var shape: [Int]
        var data: [UInt8]
        /// The bytes that it says it has, if not those.
        var size: String?
        var extra = ""

        init(_ name: String, _ datatype: String, _ shape: [Int], _ data: [UInt8]) {
            (self.name, self.datatype, self.shape, self.data) = (name, datatype, shape, data)
        }

        init(_ name: String, texts: [String]) {
            self.init(
                name, "BYTES", [texts.count],
                texts.flatMap { BinaryBody.bytes(UInt32($0.utf8.count)) + Array($0.utf8) })
        }

        var json: String {
            #"{"name": "\#(name)", "parameters": {"x": 1, "binary_data_size": \#(size ?? "\(data.count)")}, "#
                + #""shape": \#(shape), "datatype": "\#(datatype)"\#(extra)}"#
        }
    }

    var inputs: [Input]
    /// More inputs, as JSON.
    var jsonInputs: [String] = []
    var extra = ""
    /// What the header says, if not the truth.
    var jsonLength: String?
    /// What comes after the last tensor.
    var rest: [UInt8] = []

    init(_ inputs: [Input]) { self.inputs = inputs }

    /// The members' rows of a combiner, with keys and groups.
    init(_ model: TextModel, datatype: String = "FP32") {
        inputs = ["knn", "minilm", "svm"].prefix(model.members).enumerated().map { member, name in
            let values = model.rows.flatMap { $0[member * 3..<member * 3 + 3] }
            let data =
                datatype == "FP64"
                ? values.flatMap { Self.bytes(Double($0).bitPattern) } : values.flatMap { Self.bytes($0.bitPattern) }
            return Input(name, datatype, [3, 3], data)
        }
        inputs.append(Input("key", texts: ["a", "ü\"\\", ""]))
        inputs.append(Input("group", texts: ["q", "q", "r"]))
    }

    /// A number's bytes, least significant first.
    static func bytes(_ number: some FixedWidthInteger) -> [UInt8] {
        withUnsafeBytes(of: number.littleEndian) { Array($0) }
    }

    var json: [UInt8] {
        let tensors = inputs.map(\.json) + jsonInputs
        return Array(#"{"inputs": [\#(tensors.joined(separator: ", "))]\#(extra)}"#.utf8)
    }
    var bytes: [UInt8] { json + inputs.flatMap(\.data) + rest }
    /// What the header says.
    var header: String { jsonLength ?? "\(json.count)" }

    /// Status and answer.
    func send(
        to client: any TestClientProtocol, hasHeader: Bool = true
    ) async throws -> (status: Int, answer: BinaryAnswer) {
        var headers: HTTPFields = [:]
        if hasHeader { headers[try #require(HTTPField.Name(BinaryData.header))] = header }
        return try await client.execute(
            uri: "/v2/models/digits/infer", method: .post, headers: headers, body: ByteBuffer(bytes: bytes)
        ) { ($0.status.code, try BinaryAnswer($0)) }
    }
}

/// An answer with the data after its JSON, if there is any.
struct BinaryAnswer: Sendable {
    let contentType: String?
    let json: GoldenValue
    /// Data by the name of its output.
    private(set) var data: [String: [UInt8]] = [:]

    init(_ response: TestResponse) throws {
        contentType = response.headers[.contentType]
        let body = Array(response.body.readableBytesView)
        let length = HTTPField.Name(BinaryData.header).flatMap { response.headers[$0] }.map { Int($0) ?? -1 }
        json = try JSONDecoder().decode(GoldenValue.self, from: Data(body.prefix(length ?? body.count)))
        var rest = body.dropFirst(length ?? body.count)
        for output in json["outputs"].array where !output["parameters"].isNull {
            #expect(output["data"].isNull)
            let size = output["parameters"]["binary_data_size"].int
            try #require(size >= 0 && size <= rest.count)
            data[output["name"].string] = Array(rest.prefix(size))
            rest = rest.dropFirst(size)
        }
        #expect(rest.isEmpty)
    }

    var outputs: [String] { json["outputs"].array.map { $0["name"].string } }

    /// The numbers of binary FP64.
    func doubles(_ name: String) throws -> [Double] {
        let bytes = try #require(data[name])
        return stride(from: 0, to: bytes.count, by: 8).map { start in
            Double(bitPattern: bytes[start..<start + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) })
        }
    }

    /// The texts of binary BYTES.
    func texts(_ name: String) throws -> [String] {
        var rest = try #require(data[name])[...]
        var texts: [String] = []
        while !rest.isEmpty {
            let length = rest.prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
            texts.append(String(decoding: rest.dropFirst(4).prefix(length), as: UTF8.self))
            rest = rest.dropFirst(4 + length)
        }
        return texts
    }
}

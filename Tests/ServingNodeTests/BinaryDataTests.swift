import EnsembleModel
import Foundation
import HTTPTypes
import HummingbirdTesting
import NIOCore
import RegistryTesting
import Testing

@testable import ServingNode

/// The protocol's binary tensor data extension.
@Suite struct BinaryDataTests {
    private static func with(
        _ model: TextModel = .two, _ body: @escaping @Sendable (any TestClientProtocol) async throws -> Void
    ) async throws {
        try await InferenceTests.with(ServedEnsemble(name: "digits", loaded: Release(1, model).loaded()), body)
    }

    @Test(arguments: [TextModel.two, .three], ["FP32", "FP64"]) func answersAsItDoesInJSON(
        _ model: TextModel, _ datatype: String
    ) async throws {
        try await Self.with(model) { client in
            var body = BinaryBody(model, datatype: datatype)
            let json = try await InferenceTests.infer(client, InferenceBody(model).json)
            let plain = try await body.send(to: client)
            #expect(plain.status == 200 && plain.answer.contentType == "application/json")
            #expect(plain.answer.data.isEmpty)
            #expect(plain.answer.json["outputs"][0]["data"].doubles == json.probabilities)
            body.extra = #", "parameters": {"binary_data_output": true}, "id": "7""#
            let (status, answer) = try await body.send(to: client)
            #expect(status == 200 && answer.contentType == "application/octet-stream")
            #expect(answer.outputs == ["probabilities", "label"])
            #expect(try answer.doubles("probabilities") == json.probabilities)
            #expect(try answer.texts("label") == json.labels)
            #expect(answer.json["id"].string == "7")
            #expect(answer.json["outputs"][0]["shape"].doubles == [3, 3])
            #expect(answer.json["outputs"][1]["datatype"].string == "BYTES")
        }
    }

    @Test func givesEachOutputAsItIsAskedFor() async throws {
        try await Self.with { client in
            var body = BinaryBody(.two)
            func outputs(_ label: String, _ probabilities: String, _ request: String) -> String {
                #", "outputs": [{"name": "label"\#(label)}, {"parameters": \#(probabilities), "#
                    + #""name": "probabilities"}, {"name": "members_missing"}], "parameters": \#(request)"#
            }
            body.extra = outputs("", #"{"binary_data": true}"#, "null")
            let one = try await body.send(to: client).answer
            #expect(one.outputs == ["label", "probabilities", "members_missing"])
            #expect(one.data.keys.sorted() == ["probabilities"])
            #expect(one.json["outputs"][0]["data"].array.count == 3)
            body.extra = outputs(#", "parameters": {"binary_data": false}"#, "{}", #"{"binary_data_output": true}"#)
            let others = try await body.send(to: client).answer
            #expect(others.data.keys.sorted() == ["members_missing", "probabilities"])
            #expect(try others.texts("members_missing") == ["", "", ""])
            #expect(try others.doubles("probabilities") == one.doubles("probabilities"))
        }
    }

    @Test func takesTensorsInJSONBesideBinaryOnes() async throws {
        try await Self.with { client in
            let json = InferenceBody(.two)
            let expected = try await InferenceTests.infer(client, json.json).probabilities
            var body = BinaryBody(.two)
            let knn = body.inputs.removeFirst()
            body.jsonInputs = [
                #"{"name": "knn", "datatype": "FP32", "shape": [3, 3], "parameters": null, "#
                    + #""data": \#(json.inputs[0].data)}"#
            ]
            #expect(try await body.send(to: client).answer.json["outputs"][0]["data"].doubles == expected)
            // The binary ones need not come first.
            body.jsonInputs.append(knn.json.replacingOccurrences(of: "knn", with: "minilm"))
            body.rest = body.inputs.removeFirst().data
            #expect(try await body.send(to: client).answer.json["outputs"][0]["data"].doubles == expected)
            var all = InferenceBody(.two)
            all.extra = #", "parameters": {"binary_data_output": true}"#
            let answer = try await client.execute(
                uri: "/v2/models/digits/infer", method: .post, body: ByteBuffer(string: all.json)
            ) { try BinaryAnswer($0) }
            #expect(try answer.doubles("probabilities") == expected)
        }
    }

    @Test func callsMembersWithWhatCameAsBinaryData() async throws {
        let task = try GroupedTask.shared.get()
        let tables = ["knn": task.members[0], "minilm": task.members[1]]
        try await MemberServer.with(tables) { server, address in
            let release = try task.release(1, .probability) { try $0.callMembers(at: address) }
            try await ServingFixture.with(ServedEnsemble(name: "digits", loaded: release.loaded())) { node in
                let rows = [5, 17, 250]
                let body = BinaryBody([
                    .init("row", "INT64", [3, 1], rows.flatMap { BinaryBody.bytes($0) }),
                    .init("key", texts: ["a", "b", "c"]),
                ])
                let answer = try await body.send(to: node.client).answer
                let expected = try await node.ask(rows, keys: ["a", "b", "c"])
                #expect(answer.json["outputs"][0]["data"].doubles == expected.probabilities)
                #expect(server.calls("knn").first?.rows == rows)
                #expect(server.calls("minilm").first?.keys == ["a", "b", "c"])
            }
        }
    }

    /// Elements of each datatype, and what members are sent for them.
    private static let elements: [(datatype: String, bytes: [UInt8], json: String)] = [
        ("BOOL", [0, 1], "false,true"),
        ("UINT8", [0, 255], "0,255"),
        ("UINT16", [1, 2, 255, 255], "513,65535"),
        ("UINT32", BinaryBody.bytes(UInt32.max), "4294967295"),
        ("UINT64", BinaryBody.bytes(UInt64.max), "18446744073709551615"),
        ("INT8", [0x80, 0x7F], "-128,127"),
        ("INT16", [0, 0x80], "-32768"),
        ("INT32", BinaryBody.bytes(Int32.min) + BinaryBody.bytes(Int32(-2)), "-2147483648,-2"),
        ("INT64", BinaryBody.bytes(Int64.min), "-9223372036854775808"),
        // 1, -2, the least number above 0, the greatest, 1/3 and -0.
        (
            "FP16", [0, 0x3C, 0, 0xC0, 1, 0, 0xFF, 0x7B, 0x55, 0x35, 0, 0x80],
            "1.0,-2.0,5.9604645e-08,65504.0,0.33325195,-0.0"
        ),
        ("FP32", BinaryBody.bytes(Float(0.1).bitPattern) + BinaryBody.bytes(Float(1e30).bitPattern), "0.1,1e+30"),
        (
            "FP64", BinaryBody.bytes(0.1.bitPattern) + BinaryBody.bytes((-Double.leastNonzeroMagnitude).bitPattern),
            "0.1,-5e-324"
        ),
        ("BYTES", BinaryBody.Input("", texts: ["", "é\"\n"]).data, #""","é\"\u000a""#),
    ]

    @Test(arguments: elements) func keepsElementsOfEveryDatatypeAsMembersAreSentThem(
        _ datatype: String, _ bytes: [UInt8], _ json: String
    ) throws {
        let count = json.split(separator: ",").count
        let body = BinaryBody([.init("x", datatype, [count], bytes)])
        let request = try Self.parse(body)
        guard case .raw(let elements) = request.inputs.first?.values else {
            Issue.record("not raw")
            return
        }
        #expect(elements.count == count)
        #expect(String(decoding: elements.text(0..<count), as: UTF8.self) == json)
    }

    private static func parse(
        _ body: BinaryBody, isRaw: @escaping (String) -> Bool = { _ in true }
    ) throws(NodeError) -> InferenceRequest {
        try InferenceRequest(body: body.bytes, jsonLength: body.header, limits: NodeLimits(), isRaw: isRaw)
    }

    @Test(arguments: BadBinary.all) func refuses(_ bad: BadBinary) async throws {
        try await Self.with { client in
            let (status, answer) = try await bad.body.send(to: client, hasHeader: bad.hasHeader)
            #expect(status == 400)
            #expect(answer.json["error"].string.contains(bad.says), "\(answer.json)")
        }
    }

    @Test(arguments: BadBinary.raw) func refusesOfTensorsForMembers(_ bad: BadBinary) throws {
        let error = #expect(throws: NodeError.self) { try Self.parse(bad.body) }
        #expect(error?.code == .badRequest)
        #expect(error?.message.contains(bad.says) == true, "\(String(describing: error))")
    }

    /// A request with something wrong in any one place is refused with a reason, or means something else.
    @Test func refusesMoreThanItTakes() throws {
        var limits = NodeLimits()
        limits.binaryBytes = 8
        let json = #"{"inputs":[]}"#
        func code(_ count: Int) -> NodeError.Code? {
            let body = Array(json.utf8) + [UInt8](repeating: 0, count: count)
            let error = #expect(throws: NodeError.self) {
                try InferenceRequest(body: body, jsonLength: "\(json.utf8.count)", limits: limits) { _ in false }
            }
            return error?.code
        }
        #expect(code(9) == .tooLarge)
        // No tensor takes them.
        #expect(code(8) == .badRequest)
    }

    @Test func survivesCutsAndChangesAtEveryByte() throws {
        let loaded = try Release(1).loaded()
        var body = BinaryBody(.two)
        body.inputs.append(.init("raw", "BOOL", [3], [0, 1, 1]))
        let (bytes, header) = (body.bytes, body.header)
        func look(_ bytes: [UInt8], _ header: String) -> NodeError? {
            do throws(NodeError) {
                let request = try InferenceRequest(
                    body: bytes, jsonLength: header, limits: NodeLimits(), isRaw: loaded.isRaw)
                _ = try? loaded.input(request, limits: NodeLimits())
                return nil
            } catch {
                #expect([.badRequest, .tooLarge].contains(error.code) && !error.message.isEmpty)
                return error
            }
        }
        #expect(look(bytes, header) == nil)
        for count in 0..<bytes.count { #expect(look(Array(bytes.prefix(count)), header) != nil, "\(count)") }
        for length in -1...bytes.count + 1 where "\(length)" != header {
            #expect(look(bytes, "\(length)") != nil, "\(length)")
        }
        var refused = 0
        for place in bytes.indices {
            for change: UInt8 in [0x01, 0x10, 0x80, 0xFF] {
                var changed = bytes
                changed[place] ^= change
                if look(changed, header) != nil { refused += 1 }
            }
            var (shorter, longer) = (bytes, bytes)
            shorter.remove(at: place)
            longer.insert(bytes[place], at: place)
            #expect(look(shorter, header) != nil, "without byte \(place)")
            #expect(look(longer, header) != nil, "with byte \(place) twice")
        }
        #expect(refused > bytes.count && refused < bytes.count * 4)
    }
}

/// A request that must be refused, and what the answer must say.
struct BadBinary: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let says: String
    private(set) var body = BinaryBody(.two)
    var hasHeader = true

    private init(_ description: String, says: String, _ change: (inout BinaryBody) -> Void) {
        testDescription = description
        self.says = says
        change(&body)
    }

    private static func element(_ datatype: String, _ bytes: [UInt8], says: String) -> BadBinary {
        BadBinary("\(datatype) \(bytes)", says: says) { $0 = BinaryBody([.init("x", datatype, [1], bytes)]) }
    }

    private static let withoutHeader = {
        var bad = BadBinary("no header", says: "tensor 'knn' has 36 bytes of binary data, but only 0 are left") {
            $0.inputs = $0.inputs.map { input in
                var input = input
                (input.size, input.data) = ("\(input.data.count)", [])
                return input
            }
        }
        bad.hasHeader = false
        return bad
    }()

    static let all: [BadBinary] = [
        .withoutHeader,
        BadBinary("no length", says: "Inference-Header-Content-Length is 'many'; it must be the number of bytes") {
            $0.jsonLength = "many"
        },
        BadBinary("negative length", says: "is '-1'") { $0.jsonLength = "-1" },
        BadBinary("huge length", says: "is '99999999999999999999'") { $0.jsonLength = "99999999999999999999" },
        BadBinary("beyond the body", says: "of the \(BinaryBody(.two).bytes.count) of the body") {
            $0.jsonLength = "\($0.bytes.count + 1)"
        },
        BadBinary("no JSON", says: "not valid JSON at byte 0") { $0.jsonLength = "0" },
        BadBinary("left over", says: "2 bytes of binary data are no tensor's") { $0.rest = [0, 0] },
        BadBinary("one byte short", says: "tensor 'group' has 15 bytes of binary data, but only 14 are left") {
            $0.inputs[3].size = "15"
            $0.inputs[3].data.removeLast()
        },
        BadBinary("other size", says: "tensor 'knn' has 35 bytes of binary data; that is not what FP32 [3, 3] takes") {
            $0.inputs[0].data.removeLast()
        },
        BadBinary("other shape", says: "36 bytes of binary data; that is not what FP32 [4, 3] takes, 4 bytes") {
            $0.inputs[0].shape = [4, 3]
        },
        BadBinary("shape that overflows", says: "not what FP32") { $0.inputs[0].shape = [1 << 40, 1 << 40] },
        BadBinary("size that overflows", says: "not what FP32") { $0.inputs[0].shape = [1 << 62, 1] },
        BadBinary("negative size", says: "binary_data_size of tensor 'knn' must be a number of bytes") {
            $0.inputs[0].size = "-1"
        },
        BadBinary("half a size", says: "must be a number of bytes") { $0.inputs[0].size = "35.5" },
        BadBinary("enormous size", says: "must be a number of bytes") { $0.inputs[0].size = "1e300" },
        BadBinary("size as text", says: "binary_data_size of tensor 'knn' must be a number, but is a string") {
            $0.inputs[0].size = #""36""#
        },
        BadBinary("twice", says: "tensor 'knn' has both 'data' and 'binary_data_size'") {
            $0.inputs[0].extra = #", "data": [1, 0, 0]"#
        },
        BadBinary("other datatype", says: "tensor 'knn' is of datatype INT32; send FP32 or FP64") {
            $0.inputs[0].datatype = "INT32"
        },
        BadBinary("unknown datatype", says: "tensor 'knn' is of datatype BF16, of which no binary data is read") {
            $0.inputs[0].datatype = "BF16"
        },
        BadBinary("NaN", says: "value 1 of tensor 'knn' is too large or no number") {
            $0.inputs[0].data.replaceSubrange(4..<8, with: BinaryBody.bytes(Float.nan.bitPattern))
        },
        BadBinary("infinite in 32 bits", says: "value 0 of tensor 'knn' is too large") {
            $0 = BinaryBody(.two, datatype: "FP64")
            $0.inputs[0].data.replaceSubrange(0..<8, with: BinaryBody.bytes(1e39.bitPattern))
        },
        BadBinary("no probabilities", says: "row 0 of tensor 'knn' is no row of probabilities") {
            $0.inputs[0].data.replaceSubrange(0..<4, with: BinaryBody.bytes(Float(2).bitPattern))
        },
        BadBinary("fewer keys", says: "the binary data of tensor 'key' has 2 elements; its shape is [3]") {
            $0.inputs[2].data = BinaryBody.Input("", texts: ["a", "b"]).data
        },
        BadBinary("text cut off", says: "the binary data of tensor 'key' ends within element 1") {
            $0.inputs[2].data = [1, 0, 0, 0, 0x61, 2, 0, 0, 0, 0x62]
        },
        BadBinary("length cut off", says: "ends within element 0") { $0.inputs[2].data = [1, 0, 0] },
        BadBinary("length of 4 GiB", says: "ends within element 0") { $0.inputs[2].data = [255, 255, 255, 255, 0] },
        BadBinary("no UTF-8", says: "element 0 of tensor 'key' is not UTF-8") {
            $0.inputs[2].data = [1, 0, 0, 0, 0xFF]
        },
        BadBinary("key as numbers", says: "tensor 'key' must be of datatype BYTES and shape [3]") {
            $0.inputs[2] = .init("key", "INT8", [3], [1, 2, 3])
        },
        BadBinary("output flag", says: "binary_data of outputs[0] must be true or false, but is a number") {
            $0.extra = #", "outputs": [{"name": "label", "parameters": {"binary_data": 1}}]"#
        },
        BadBinary("request flag", says: "binary_data_output must be true or false, but is null") {
            $0.extra = #", "parameters": {"binary_data_output": null}"#
        },
    ]

    static let raw: [BadBinary] = [
        .element("BOOL", [2], says: "value 0 of tensor 'x' is neither 0 nor 1"),
        .element("FP16", [0, 0x7C], says: "value 0 of tensor 'x' is too large or no number"),
        .element("FP16", [1, 0xFC], says: "must be finite"),
        .element("FP32", BinaryBody.bytes((-Float.infinity).bitPattern), says: "must be finite"),
        .element("FP64", BinaryBody.bytes(Double.nan.bitPattern), says: "must be finite"),
        .element("INT16", [0], says: "has 1 bytes of binary data; that is not what INT16 [1] takes, 2 bytes"),
        .element("BYTES", [1, 0, 0, 0, 0xC0], says: "element 0 of tensor 'x' is not UTF-8"),
        .element("INT128", [0], says: "send one of BOOL, UINT8,"),
    ]
}

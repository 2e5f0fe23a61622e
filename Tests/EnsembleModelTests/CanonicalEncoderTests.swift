import EnsembleModel
import Testing

@Suite("Canonical form of encodable values")
struct CanonicalEncoderTests {
    private struct Sample: Encodable {
        var b = "é\"\n"
        var a = 0.1
        var single = Float(0.5)
        var count = -3
        var flag = true
        var absent: Int?
        var list: [Double?] = [1, nil]
        var table = ["z": 1, "y": 2]
        var kind = UtilityKind.shapleyAbs
    }

    private struct Wide: Encodable {
        var rows: UInt64
    }

    private struct Silent: Encodable {
        func encode(to encoder: any Encoder) throws {}
    }

    @Test("keys are sorted, doubles are bits, absent members are left out")
    func bytes() throws {
        let text = String(decoding: try CanonicalValue(encoding: Sample()).bytes, as: UTF8.self)
        #expect(
            text == #"{"a":"3fb999999999999a","b":"é\"\u000a","count":-3,"flag":true,"kind":"shapley_abs","#
                + #""list":["3ff0000000000000",null],"single":"3fe0000000000000","table":{"y":2,"z":1}}"#)
    }

    @Test("an integer that JSON readers may round is refused with its place")
    func largeIntegers() throws {
        #expect(try CanonicalValue(encoding: Wide(rows: (1 << 53) - 1)) == ["rows": .integer((1 << 53) - 1)])
        for rows in [1 << 53, UInt64.max] {
            let error = #expect(throws: EnsembleModelError.self) { try CanonicalValue(encoding: Wide(rows: rows)) }
            #expect(error?.code == .invalidCanonicalForm)
            #expect(error?.message.contains("at rows") == true)
        }
    }

    @Test("a value that encodes nothing is refused; empty containers are not nothing")
    func emptiness() throws {
        #expect(throws: EnsembleModelError.self) { try CanonicalValue(encoding: Silent()) }
        #expect(try CanonicalValue(encoding: [Int]()).bytes == Array("[]".utf8))
        #expect(try CanonicalValue(encoding: [String: Int]()).bytes == Array("{}".utf8))
    }

    @Test("the digest of evidence changes with the last bit of a number, and with nothing else")
    func evidence() throws {
        let model = try ModelVersionID("minilm@3")
        var evidence = Evidence(
            kind: .admission, challenger: model, validation: .of("v"), epochSalt: "e1", rowCount: 2, groupCount: 2,
            split: .init(openRows: 1, openGroups: 1, sealedRows: 1, sealedGroups: 1, searchedRows: 2), figures: .all,
            submitter: "ann",
            inputs: [.init(model: model, predictions: .of("p"), cost: ModelCost(latencyNanoseconds: 5))],
            policy: Policy(), policyVersion: 1, library: .init(name: "LightGBM", version: "4.7.0", sha256: .of("l")),
            preset: .small, presetLosses: ["small": 0.5], closeness: [], tried: [], search: [], screen: nil,
            quantile: nil, ranking: [], membersBefore: [], membersAfter: [model], verdict: .admit, reason: "",
            warnings: [], ledgerBefore: Ledger(), ledgerAfter: Ledger(), metrics: [], utilities: [], foldModels: [],
            combiner: nil, commitment: nil)
        let digest = try evidence.digest
        #expect(try evidence.digest == digest)
        evidence.presetLosses["small"] = 0.5.nextUp
        #expect(try evidence.digest != digest)
    }
}

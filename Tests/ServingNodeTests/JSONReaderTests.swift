import Testing

@testable import ServingNode

@Suite struct JSONReaderTests {
    private static func number(_ text: String) throws -> Double {
        var reader = JSONReader(Array(text.utf8), depthLimit: 4)
        let value = try reader.number("it")
        try reader.end()
        return value
    }

    @Test func readsNumbersToTheNearestDouble() throws {
        var generator = SystemRandomNumberGenerator()
        var texts = [
            "0", "-0", "0.1", "1e22", "1e23", "9007199254740993", "1E-3", "1e+2", "0.000001",
            "123456789012345678901234567890",
        ]
        texts += [
            "2.2250738585072011e-308", "5e-324", "1e-400", "1e400", "-1e400", "0e999999999999",
            "1.7976931348623159e308",
        ]
        for _ in 0..<2000 {
            texts.append(Double.random(in: 0..<1, using: &generator).description)
            texts.append(Float.random(in: 0..<1, using: &generator).description)
            texts.append(
                "\(Int64.random(in: .min ... .max, using: &generator))e\(Int.random(in: -340...300, using: &generator))"
            )
        }
        for text in texts {
            let expected = try #require(Double(text))
            #expect(try Self.number(text).bitPattern == expected.bitPattern, "\(text)")
        }
    }

    @Test(arguments: ["", "+1", "01", "-", ".5", "1.", "1e", "1e+", "0x1", "Infinity", "NaN", "1 2", "1_000"])
    func refusesWhatIsNoNumber(_ text: String) {
        #expect(throws: NodeError.self) { try Self.number(text) }
    }

    @Test(arguments: [
        "{", "[1,]", "[,1]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "tru", "nul", "[1 2]", "\"\n\"", "\"\\x\"",
        "\"abc", "\"\\", "]",
    ])
    func refusesWhatIsNoJSON(_ text: String) {
        var reader = JSONReader(Array(text.utf8), depthLimit: 4)
        #expect(throws: NodeError.self) {
            try reader.skip()
            try reader.end()
        }
    }

    @Test func skipsWhatNobodyAsksFor() throws {
        var reader = JSONReader(
            Array(#" { "a" : [ 1 , {"b": "\u00e9"} , true , false , null , [ ] , { } ] } "#.utf8), depthLimit: 4)
        try reader.skip()
        try reader.end()
    }
}

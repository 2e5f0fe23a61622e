import EnsembleModel
import Testing
import Trust

@Suite("Strict JSON")
struct StrictJSONTests {
    @Test("reads what has a canonical form")
    func reads() throws {
        let text = #" { "b" : [1, -20, true, false, null], "a\u00e9\ud83d\ude00" : "x\n\/\"\\" , "c": {} } "#
        #expect(
            try CanonicalValue(strictJSON: Array(text.utf8)) == [
                "b": [.integer(1), .integer(-20), .bool(true), .bool(false), .null], "aé😀": "x\n/\"\\", "c": [:],
            ])
    }

    @Test(
        "refuses everything else",
        arguments: [
            "", " ", "{", "[", "\"", "{\"a\":1,}", "[1,]", "[,1]", "{\"a\":1,\"a\":2}", "{\"é\":1,\"e\u{301}\":2}",
            "1.0", "1e3", "1E3", "0.5", "01", "-", "+1", "--1", "9007199254740992", "-9007199254740992",
            "99999999999999999999999999", "1 2", "{} x", "nul", "True", "NaN", "Infinity", "'a'", "{a:1}", "{1:1}",
            "{\"a\" 1}", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"",
            "\"\\ud800x\"", "\"\n\"", "\"\u{1}\"", "\u{feff}1", "/**/1", String(repeating: "[", count: 33),
        ])
    func refuses(_ text: String) {
        let error = #expect(throws: TrustError.self) { try CanonicalValue(strictJSON: Array(text.utf8)) }
        #expect(error?.code == .malformed)
    }

    @Test("refuses invalid UTF-8")
    func invalidUTF8() {
        for bytes: [UInt8] in [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xE2, 0x82], [0xF5, 0x80, 0x80, 0x80]] {
            #expect(throws: TrustError.self) { try CanonicalValue(strictJSON: [0x22] + bytes + [0x22]) }
        }
    }
}

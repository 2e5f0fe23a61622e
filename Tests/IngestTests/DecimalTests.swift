import Foundation
import Testing

@testable import Ingest

@Suite("Decimal numbers")
struct DecimalTests {
    static func parse(_ text: String) -> Double? {
        Array(text.utf8).withUnsafeBytes { Decimal.parse($0) }
    }

    @Test("100,000 random numbers are the same bits as strtod's")
    func random() {
        var random = SeededGenerator(state: 7)
        for _ in 0..<100_000 {
            let text = Self.number(&random)
            let expected = strtod(text, nil)
            if Self.parse(text)?.bitPattern != expected.bitPattern { Issue.record("\(text) is \(expected)") }
        }
    }

    /// A number with or without sign, point and exponent, of 1 to 25 digits.
    private static func number(_ random: inout SeededGenerator) -> String {
        func digits(_ count: Int) -> String {
            (0..<count).map { _ in String(Int.random(in: 0...9, using: &random)) }.joined()
        }
        switch Int.random(in: 0..<4, using: &random) {
        case 0: return "0." + digits(Int.random(in: 1...20, using: &random))
        case 1: return String(Double.random(in: 0...1, using: &random))
        case 2: return String(Double(bitPattern: UInt64.random(in: 0..<0x7FF0_0000_0000_0000, using: &random)))
        default:
            let sign = ["", "-", "+"].randomElement(using: &random) ?? ""
            let whole = digits(Int.random(in: 0...12, using: &random))
            let fraction = digits(Int.random(in: whole.isEmpty ? 1...12 : 0...12, using: &random))
            let exponent = Bool.random(using: &random) ? "e\(Int.random(in: -330...310, using: &random))" : ""
            return "\(sign)\(whole).\(fraction)\(exponent)"
        }
    }

    @Test(
        "Borders of the fast path and of the range",
        arguments: [
            "0", "-0", "9007199254740992", "9007199254740993", "9007199254740993e-22", "9007199254740992e22", "1e22",
            "1e23", "1e-22",
            "1e-23", "999999999999999999", "9999999999999999999", "99999999999999999999", "18446744073709551616",
            "0.0000000000000000000000000000001", "000000000000000000000000000001.5", "1e400", "1e-400", "4.9e-324",
            "2.2250738585072011e-308",
            "1e99999999999999999999", "1.", ".5", "1E+05",
        ])
    func borders(text: String) {
        #expect(Self.parse(text)?.bitPattern == strtod(text, nil).bitPattern)
    }

    @Test(
        "What is not a decimal number",
        arguments: ["", " ", "+", ".", "e5", "1e", "1e+", "0x10", "1_000", "1,5", "--1", "1 2", "in", "nan(1)", "١"])
    func notNumbers(text: String) {
        #expect(Self.parse(text) == nil)
    }
}

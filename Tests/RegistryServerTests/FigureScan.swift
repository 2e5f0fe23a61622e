import EnsembleModel
import Foundation

/// Looks for numbers in text: as decimals of six or more digits, rounded or whole, and as the 16 hexadecimal digits of
/// their bits; and for digests, by any 16 of their digits that begin at a multiple of 16.
struct FigureScan {
    /// Fewer digits do not tell one number from another.
    private static let digits = 6

    /// What is looked for, by its bits.
    let needles: Set<UInt64>
    /// Magnitudes, ascending.
    private let magnitudes: [Double]

    init(_ values: some Sequence<Double>, digests: [String] = []) {
        let telling = values.filter { Self.significantDigits("\($0)".utf8) >= Self.digits }
        magnitudes = telling.map(abs).sorted()
        let words = digests.flatMap { digest in
            stride(from: 0, to: digest.count, by: 16).compactMap { UInt64(digest.dropFirst($0).prefix(16), radix: 16) }
        }
        needles = Set(telling.map(\.bitPattern) + words)
    }

    /// The needles found in a text.
    func hits(in text: some Sequence<UInt8>) -> Set<UInt64> {
        let bytes = Array(text)
        return decimals(in: bytes).union(hexadecimals(in: bytes))
    }

    private func hexadecimals(in bytes: [UInt8]) -> Set<UInt64> {
        var found: Set<UInt64> = []
        var (word, run) = (UInt64(0), 0)
        for byte in bytes {
            guard let digit = Self.value(ofHexadecimal: byte) else {
                run = 0
                continue
            }
            word = word << 4 | UInt64(digit)
            run += 1
            if run >= 16, needles.contains(word) { found.insert(word) }
        }
        return found
    }

    private func decimals(in bytes: [UInt8]) -> Set<UInt64> {
        var found: Set<UInt64> = []
        var position = 0
        while position < bytes.count {
            guard Self.isDigit(bytes[position]) else {
                position += 1
                continue
            }
            let start = position
            var (isFraction, places) = (false, 0)
            while position < bytes.count {
                if Self.isDigit(bytes[position]) {
                    if isFraction { places += 1 }
                } else if bytes[position] == UInt8(ascii: "."), !isFraction {
                    isFraction = true
                } else {
                    break
                }
                position += 1
            }
            let mantissa = bytes[start..<position]
            var exponent = 0
            if position + 1 < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
                let rest = bytes[(position + 1)...].prefix { Self.isDigit($0) || $0 == UInt8(ascii: "-") || $0 == 43 }
                if let value = Int(String(decoding: rest, as: UTF8.self)), abs(value) < 300 {
                    exponent = value
                    position += 1 + rest.count
                }
            }
            guard Self.significantDigits(mantissa) >= Self.digits,
                let number = Double(String(decoding: mantissa, as: UTF8.self))
            else { continue }
            let scale = pow(10, Double(exponent))
            find(number * scale, within: 0.5 * pow(10, -Double(places)) * scale, in: &found)
        }
        return found
    }

    private func find(_ number: Double, within tolerance: Double, in found: inout Set<UInt64>) {
        let tolerance = tolerance + number * 1e-12
        var (low, high) = (0, magnitudes.count)
        while low < high {
            let middle = (low + high) / 2
            if magnitudes[middle] < number - tolerance { low = middle + 1 } else { high = middle }
        }
        while low < magnitudes.count, magnitudes[low] <= number + tolerance {
            for value in [magnitudes[low], -magnitudes[low]] where needles.contains(value.bitPattern) {
                found.insert(value.bitPattern)
            }
            low += 1
        }
    }

    /// Digits of a decimal from the first that is not zero, without its exponent.
    private static func significantDigits(_ text: some Sequence<UInt8>) -> Int {
        text.prefix { isDigit($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }
            .filter(isDigit).drop { $0 == UInt8(ascii: "0") }.count
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private static func value(ofHexadecimal byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}

/// The doubles of a canonical value: texts of 16 hexadecimal digits.
func doubles(in value: CanonicalValue) -> Set<Double> {
    switch value {
    case .string(let text) where text.utf8.count == 16:
        UInt64(text, radix: 16).map { [Double(bitPattern: $0)] } ?? []
    case .array(let values): values.reduce(into: []) { $0.formUnion(doubles(in: $1)) }
    case .object(let members): members.values.reduce(into: []) { $0.formUnion(doubles(in: $1)) }
    default: []
    }
}

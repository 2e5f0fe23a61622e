#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Parses decimal numbers from bytes to the nearest double, as `strtod` does, without its locale and hexadecimal forms.
enum Decimal {
    /// 10^0 to 10^22: the powers of ten that are exact in a double.
    private static let exactPowers: [Double] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
        1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
    ]

    /// The number written by these bytes, blanks around it allowed; nil for anything else.
    ///
    /// `nan`, `inf` and `infinity` in any case, and numbers beyond the range of doubles, are not finite.
    static func parse(_ bytes: UnsafeRawBufferPointer) -> Double? {
        var text = bytes[...]
        while let first = text.first, isBlank(first) { text = text.dropFirst() }
        while let last = text.last, isBlank(last) { text = text.dropLast() }
        let trimmed = UnsafeRawBufferPointer(rebasing: text)
        var scan = Scan()
        guard scan.read(trimmed) else { return special(trimmed) }
        // Clinger's fast path: both factors are exact doubles, so that one rounding gives the nearest double.
        // W. D. Clinger, How to Read Floating Point Numbers Accurately, PLDI 1990.
        if scan.isExact, scan.mantissa <= 1 << 53, (-22...22).contains(scan.exponent) {
            let magnitude = Double(scan.mantissa)
            let value =
                scan.exponent < 0 ? magnitude / exactPowers[-scan.exponent] : magnitude * exactPowers[scan.exponent]
            return scan.isNegative ? -value : value
        }
        return nearest(trimmed)
    }

    /// The parts of a number: mantissa * 10^exponent.
    private struct Scan {
        var mantissa: UInt64 = 0
        var exponent = 0
        var isNegative = false
        /// Whether every digit went into the mantissa.
        var isExact = true

        /// Reads `[+-] digits [. digits] [e [+-] digits]` with at least one digit before the exponent; false otherwise.
        mutating func read(_ bytes: UnsafeRawBufferPointer) -> Bool {
            var position = 0
            if let sign = bytes.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
                isNegative = sign == UInt8(ascii: "-")
                position = 1
            }
            let whole = readDigits(bytes, &position)
            var fraction = 0
            if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
                position += 1
                fraction = readDigits(bytes, &position)
                exponent = -fraction
            }
            guard whole + fraction > 0 else { return false }
            return position == bytes.count || readExponent(bytes, &position)
        }

        private mutating func readDigits(_ bytes: UnsafeRawBufferPointer, _ position: inout Int) -> Int {
            let start = position
            while position < bytes.count {
                let digit = bytes[position] &- UInt8(ascii: "0")
                guard digit < 10 else { break }
                // 10^18 leaves room for one digit more in 64 bits.
                if mantissa < 1_000_000_000_000_000_000 {
                    mantissa = mantissa &* 10 &+ UInt64(digit)
                } else {
                    isExact = false
                }
                position += 1
            }
            return position - start
        }

        private mutating func readExponent(_ bytes: UnsafeRawBufferPointer, _ position: inout Int) -> Bool {
            guard bytes[position] | 0x20 == UInt8(ascii: "e") else { return false }
            position += 1
            var isNegative = false
            if position < bytes.count, bytes[position] == UInt8(ascii: "-") || bytes[position] == UInt8(ascii: "+") {
                isNegative = bytes[position] == UInt8(ascii: "-")
                position += 1
            }
            guard position < bytes.count else { return false }
            var value = 0
            while position < bytes.count {
                let digit = bytes[position] &- UInt8(ascii: "0")
                guard digit < 10 else { return false }
                value = min(value * 10 + Int(digit), 1_000_000)
                position += 1
            }
            exponent += isNegative ? -value : value
            return true
        }
    }

    /// `strtod` on a copy that ends with a NUL; the grammar has been checked. The program never sets a locale.
    private static func nearest(_ bytes: UnsafeRawBufferPointer) -> Double {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: bytes.count + 1) { copy in
            for (index, byte) in bytes.enumerated() { copy[index] = CChar(bitPattern: byte) }
            copy[bytes.count] = 0
            return copy.baseAddress.map { strtod($0, nil) } ?? .nan
        }
    }

    private static func special(_ bytes: UnsafeRawBufferPointer) -> Double? {
        guard (3...9).contains(bytes.count) else { return nil }
        return switch String(decoding: bytes, as: UTF8.self).lowercased() {
        case "nan", "+nan", "-nan": .nan
        case "inf", "+inf", "infinity", "+infinity": .infinity
        case "-inf", "-infinity": -.infinity
        default: nil
        }
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
}

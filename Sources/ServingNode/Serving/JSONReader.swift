import Foundation

/// Reads JSON (RFC 8259) from front to back, without building a tree: an inference request is mostly numbers.
struct JSONReader {
    /// The kind of the value that comes next.
    enum Kind: String {
        case object = "an object"
        case array = "an array"
        case string = "a string"
        case number = "a number"
        case bool = "true or false"
        case null = "null"
        case nothing = "no value"
    }

    private let bytes: [UInt8]
    private var position = 0
    private var depth = 0
    private let depthLimit: Int

    init(_ bytes: [UInt8], depthLimit: Int) {
        self.bytes = bytes
        self.depthLimit = depthLimit
    }

    /// Looks at the value that comes next.
    mutating func next() -> Kind {
        skipSpace()
        guard position < bytes.count else { return .nothing }
        switch bytes[position] {
        case UInt8(ascii: "{"): return .object
        case UInt8(ascii: "["): return .array
        case UInt8(ascii: "\""): return .string
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
        case UInt8(ascii: "t"), UInt8(ascii: "f"): return .bool
        case UInt8(ascii: "n"): return .null
        default: return .nothing
        }
    }

    /// Reads an object; `member` must read the value of each key.
    mutating func object(_ what: String, _ member: (inout JSONReader, String) throws(NodeError) -> Void)
        throws(NodeError)
    {
        try expect(.object, what)
        try elements(until: UInt8(ascii: "}")) { (reader) throws(NodeError) in
            let key = try reader.string("a key")
            reader.skipSpace()
            guard reader.take(UInt8(ascii: ":")) else { throw reader.malformed() }
            try member(&reader, key)
        }
    }

    /// Reads an array; `element` must read each value.
    mutating func array(_ what: String, _ element: (inout JSONReader) throws(NodeError) -> Void) throws(NodeError) {
        try expect(.array, what)
        try elements(until: UInt8(ascii: "]"), element)
    }

    /// Reads a number as the nearest double; one that is too large for a double is infinite.
    mutating func number(_ what: String) throws(NodeError) -> Double {
        try expect(.number, what)
        let start = position
        let isNegative = take(UInt8(ascii: "-"))
        var digits = Digits()
        let integerStart = position
        readDigits(into: &digits)
        guard position > integerStart, position == integerStart + 1 || bytes[integerStart] != UInt8(ascii: "0") else {
            throw malformed()
        }
        if take(UInt8(ascii: ".")) {
            let fractionStart = position
            readDigits(into: &digits)
            guard position > fractionStart else { throw malformed() }
            digits.exponent -= position - fractionStart
        }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            let isDivided = take(UInt8(ascii: "-"))
            if !isDivided { _ = take(UInt8(ascii: "+")) }
            let exponentStart = position
            var exponent = Digits()
            readDigits(into: &exponent)
            guard position > exponentStart else { throw malformed() }
            digits.exponent += (isDivided ? -1 : 1) * Int(min(exponent.mantissa, 1 << 20))
            digits.isExact = digits.isExact && exponent.isExact
        }
        if let value = digits.value { return isNegative ? -value : value }
        return Double(String(decoding: bytes[start..<position], as: UTF8.self)) ?? .infinity
    }

    /// Reads a string.
    mutating func string(_ what: String) throws(NodeError) -> String {
        try expect(.string, what)
        let start = position
        position += 1
        var isPlain = true
        while position < bytes.count, bytes[position] != UInt8(ascii: "\"") {
            guard bytes[position] >= 0x20 else { throw malformed() }
            if bytes[position] == UInt8(ascii: "\\") {
                isPlain = false
                position += 1
            }
            position += 1
        }
        guard position < bytes.count else { throw malformed() }
        position += 1
        let text =
            isPlain
            ? String(validating: bytes[start + 1..<position - 1], as: UTF8.self)
            : try? JSONDecoder().decode(String.self, from: Data(bytes[start..<position]))
        guard let text else { throw malformed() }
        return text
    }

    /// Reads over a number, a string, true or false, and returns its text.
    mutating func scalar(_ what: @autoclosure () -> String) throws(NodeError) -> ArraySlice<UInt8> {
        let kind = next()
        guard [.string, .number, .bool].contains(kind) else {
            guard kind != .nothing else { throw malformed() }
            throw NodeError(.badRequest, "\(what()) is \(kind.rawValue): send numbers, strings, true or false")
        }
        let start = position
        try skip()
        return bytes[start..<position]
    }

    /// Reads true or false.
    mutating func bool(_ what: String) throws(NodeError) -> Bool {
        try expect(.bool, what)
        let isTrue = bytes[position] == UInt8(ascii: "t")
        try skip()
        return isTrue
    }

    /// Reads one of the protocol's parameters, and over the others; and over what is no object, e.g. null.
    mutating func parameter(
        _ name: String, _ value: (inout JSONReader) throws(NodeError) -> Void
    ) throws(NodeError) {
        guard next() == .object else { return try skip() }
        try object("parameters") { (reader, key) throws(NodeError) in
            if key == name { try value(&reader) } else { try reader.skip() }
        }
    }

    /// Reads over a value that nobody asks for.
    mutating func skip() throws(NodeError) {
        switch next() {
        case .object: try object("") { (reader, _) throws(NodeError) in try reader.skip() }
        case .array: try array("") { (reader) throws(NodeError) in try reader.skip() }
        case .string: _ = try string("")
        case .number: _ = try number("")
        case .bool, .null:
            guard let word = ["true", "false", "null"].first(where: { bytes[position...].starts(with: $0.utf8) }) else {
                throw malformed()
            }
            position += word.utf8.count
        case .nothing: throw malformed()
        }
    }

    /// Makes sure that nothing follows.
    mutating func end() throws(NodeError) {
        skipSpace()
        guard position == bytes.count else { throw malformed() }
    }

    private mutating func elements(
        until closing: UInt8, _ element: (inout JSONReader) throws(NodeError) -> Void
    ) throws(NodeError) {
        depth += 1
        guard depth <= depthLimit else {
            throw NodeError(.badRequest, "the body has more than \(depthLimit) levels of arrays and objects")
        }
        position += 1
        skipSpace()
        if !take(closing) {
            while true {
                try element(&self)
                skipSpace()
                if take(closing) { break }
                guard take(UInt8(ascii: ",")) else { throw malformed() }
            }
        }
        depth -= 1
    }

    private mutating func expect(_ kind: Kind, _ what: String) throws(NodeError) {
        let found = next()
        guard found != kind else { return }
        guard found != .nothing, !what.isEmpty else { throw malformed() }
        throw NodeError(.badRequest, "\(what) must be \(kind.rawValue), but is \(found.rawValue)")
    }

    private func malformed() -> NodeError {
        NodeError(.badRequest, "the body is not valid JSON at byte \(position)")
    }

    private mutating func skipSpace() {
        while position < bytes.count, [0x20, 0x0A, 0x0D, 0x09].contains(bytes[position]) { position += 1 }
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard position < bytes.count, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    private mutating func readDigits(into digits: inout Digits) {
        while position < bytes.count, UInt8(ascii: "0")...UInt8(ascii: "9") ~= bytes[position] {
            digits.append(bytes[position] - UInt8(ascii: "0"))
            position += 1
        }
    }
}

/// The digits of a decimal number, which is `mantissa * 10^exponent` as long as it is exact.
private struct Digits {
    private(set) var mantissa: UInt64 = 0
    var exponent = 0
    var isExact = true

    private static let powers: [Double] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19,
        1e20, 1e21, 1e22,
    ]

    mutating func append(_ digit: UInt8) {
        if mantissa < 1 << 56 { mantissa = mantissa * 10 + UInt64(digit) } else { isExact = false }
    }

    /// The nearest double, where one operation on exact doubles gives it (Clinger 1990): most numbers that are sent.
    var value: Double? {
        guard isExact, mantissa <= 1 << 53, exponent.magnitude < Self.powers.count else { return nil }
        let power = Self.powers[Int(exponent.magnitude)]
        return exponent < 0 ? Double(mantissa) / power : Double(mantissa) * power
    }
}

public import EnsembleModel

extension CanonicalValue {
    /// Reads JSON that has a canonical form, and nothing else.
    ///
    /// Refused: duplicate keys (also such that are equal in Unicode's canonical form), numbers with a fraction or an
    /// exponent, integers of magnitude 2^53 or more, more than 32 levels, bytes after the value, invalid UTF-8 and
    /// surrogates that are not pairs.
    ///
    /// - Throws: ``TrustError`` with code `malformed` and the place.
    public init(strictJSON bytes: [UInt8]) throws(TrustError) {
        var parser = StrictJSONParser(bytes: bytes)
        self = try parser.document()
    }
}

private struct StrictJSONParser {
    private static let depthLimit = 32
    private static let largestInteger = (1 << 53) - 1

    private let bytes: [UInt8]
    private var position = 0
    private var depth = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func document() throws(TrustError) -> CanonicalValue {
        let value = try value()
        skipSpace()
        guard position == bytes.count else { throw malformed("bytes follow the value") }
        return value
    }

    private mutating func value() throws(TrustError) -> CanonicalValue {
        skipSpace()
        guard let byte = current else { throw malformed("the text ends") }
        switch byte {
        case UInt8(ascii: "{"): return try object()
        case UInt8(ascii: "["): return try array()
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .integer(try integer())
        default:
            for (word, value) in [("true", CanonicalValue.bool(true)), ("false", .bool(false)), ("null", .null)]
            where bytes[position...].starts(with: word.utf8) {
                position += word.utf8.count
                return value
            }
            throw malformed("no value starts")
        }
    }

    private mutating func object() throws(TrustError) -> CanonicalValue {
        var members: [String: CanonicalValue] = [:]
        try elements(until: UInt8(ascii: "}")) { (parser) throws(TrustError) in
            parser.skipSpace()
            guard parser.current == UInt8(ascii: "\"") else { throw parser.malformed("no key starts") }
            let key = try parser.string()
            guard members[key] == nil else { throw parser.malformed("a key comes twice") }
            parser.skipSpace()
            guard parser.take(UInt8(ascii: ":")) else { throw parser.malformed("no colon follows the key") }
            members[key] = try parser.value()
        }
        return .object(members)
    }

    private mutating func array() throws(TrustError) -> CanonicalValue {
        var values: [CanonicalValue] = []
        try elements(until: UInt8(ascii: "]")) { (parser) throws(TrustError) in values.append(try parser.value()) }
        return .array(values)
    }

    private mutating func elements(
        until closing: UInt8, _ element: (inout StrictJSONParser) throws(TrustError) -> Void
    ) throws(TrustError) {
        depth += 1
        guard depth <= Self.depthLimit else { throw malformed("there are more than \(Self.depthLimit) levels") }
        position += 1
        skipSpace()
        if !take(closing) {
            while true {
                try element(&self)
                skipSpace()
                if take(closing) { break }
                guard take(UInt8(ascii: ",")) else { throw malformed("no comma follows") }
            }
        }
        depth -= 1
    }

    private mutating func integer() throws(TrustError) -> Int64 {
        let isNegative = take(UInt8(ascii: "-"))
        let start = position
        var magnitude = 0
        while let byte = current, UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte {
            magnitude = magnitude * 10 + Int(byte - UInt8(ascii: "0"))
            guard magnitude <= Self.largestInteger else { throw malformed("an integer is not below 2^53") }
            position += 1
        }
        guard position > start, position == start + 1 || bytes[start] != UInt8(ascii: "0") else {
            throw malformed("a number has no digits or a leading zero")
        }
        if let byte = current, [UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E")].contains(byte) {
            throw malformed("a number is not an integer")
        }
        return Int64(isNegative ? -magnitude : magnitude)
    }

    private mutating func string() throws(TrustError) -> String {
        position += 1
        var text: [UInt8] = []
        while let byte = current, byte != UInt8(ascii: "\"") {
            guard byte >= 0x20 else { throw malformed("a control character is not escaped") }
            position += 1
            if byte == UInt8(ascii: "\\") {
                text += String(try escape()).utf8
            } else {
                text.append(byte)
            }
        }
        guard take(UInt8(ascii: "\"")) else { throw malformed("a text does not end") }
        guard let text = String(validating: text, as: UTF8.self) else { throw malformed("a text is not UTF-8") }
        return text
    }

    private mutating func escape() throws(TrustError) -> Unicode.Scalar {
        guard let byte = current else { throw malformed("a text does not end") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{c}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return try escapedScalar()
        default: throw malformed("an escape is unknown")
        }
    }

    private mutating func escapedScalar() throws(TrustError) -> Unicode.Scalar {
        var code = try codeUnit()
        if 0xD800..<0xDC00 ~= code, take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) {
            let low = try codeUnit()
            guard 0xDC00..<0xE000 ~= low else { throw malformed("a surrogate is alone") }
            code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(code) else { throw malformed("a surrogate is alone") }
        return scalar
    }

    private mutating func codeUnit() throws(TrustError) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard let digit = current.flatMap({ Character(Unicode.Scalar($0)).hexDigitValue }) else {
                throw malformed("an escape needs four hexadecimal digits")
            }
            code = code << 4 + UInt32(digit)
            position += 1
        }
        return code
    }

    private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard current == byte else { return false }
        position += 1
        return true
    }

    private mutating func skipSpace() {
        while let byte = current, [0x20, 0x0A, 0x0D, 0x09].contains(byte) { position += 1 }
    }

    private func malformed(_ what: String) -> TrustError {
        TrustError(.malformed, nil, "this is no strict JSON: \(what) at byte \(position)")
    }
}

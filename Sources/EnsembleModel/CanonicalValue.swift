/// A JSON value with exactly one byte form: what is hashed and, later, signed.
///
/// Objects have their keys sorted by bytes, numbers are integers below 2^53 in magnitude, and a double is written as
/// the 16 hexadecimal digits of its IEEE-754 bits, so that equal bytes mean equal bits.
public enum CanonicalValue: Hashable, Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    case string(String)
    case array([CanonicalValue])
    case object([String: CanonicalValue])

    /// A double as the 16 hexadecimal digits of its bits.
    public static func double(_ value: Double) -> CanonicalValue {
        let digits = String(value.bitPattern, radix: 16)
        return .string(String(repeating: "0", count: 16 - digits.count) + digits)
    }

    /// The canonical bytes.
    public var bytes: [UInt8] {
        var output: [UInt8] = []
        write(to: &output, escapingControls: true)
        return output
    }

    /// The bytes of OLPC canonical JSON, which The Update Framework signs: as ``bytes``, but control characters stand
    /// for themselves (so it need not be JSON that can be read again).
    public var olpcBytes: [UInt8] {
        var output: [UInt8] = []
        write(to: &output, escapingControls: false)
        return output
    }

    /// SHA-256 of the canonical bytes.
    public var digest: ContentDigest { .of(bytes) }

    private func write(to output: inout [UInt8], escapingControls: Bool) {
        switch self {
        case .null: output += "null".utf8
        case .bool(let value): output += (value ? "true" : "false").utf8
        case .integer(let value): output += String(value).utf8
        case .string(let value): Self.write(value, to: &output, escapingControls: escapingControls)
        case .array(let values):
            Self.write(values, between: ("[", "]"), to: &output) { value, output in
                value.write(to: &output, escapingControls: escapingControls)
            }
        case .object(let members):
            Self.write(members.sorted { $0.key.precedes($1.key) }, between: ("{", "}"), to: &output) { member, output in
                Self.write(member.key, to: &output, escapingControls: escapingControls)
                output.append(UInt8(ascii: ":"))
                member.value.write(to: &output, escapingControls: escapingControls)
            }
        }
    }

    private static func write<Element>(
        _ elements: [Element], between brackets: (String, String), to output: inout [UInt8],
        each: (Element, inout [UInt8]) -> Void
    ) {
        output += brackets.0.utf8
        for (index, element) in elements.enumerated() {
            if index > 0 { output.append(UInt8(ascii: ",")) }
            each(element, &output)
        }
        output += brackets.1.utf8
    }

    private static func write(_ text: String, to output: inout [UInt8], escapingControls: Bool) {
        output.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): output += [UInt8(ascii: "\\"), byte]
            case 0..<0x20 where escapingControls: output += ("\\u00" + [byte].hexadecimal).utf8
            default: output.append(byte)
            }
        }
        output.append(UInt8(ascii: "\""))
    }
}

extension CanonicalValue: ExpressibleByStringLiteral, ExpressibleByDictionaryLiteral, ExpressibleByArrayLiteral {
    public init(stringLiteral value: String) { self = .string(value) }
    public init(arrayLiteral elements: CanonicalValue...) { self = .array(elements) }
    public init(dictionaryLiteral elements: (String, CanonicalValue)...) {
        self = .object(Dictionary(elements) { _, last in last })
    }
}

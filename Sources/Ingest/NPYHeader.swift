/// The header of a NumPy array file, format versions 1 to 3.
///
/// Source: numpy.lib.format. Magic, version, length of the dictionary (16 bits in version 1, else 32), the dictionary
/// as a Python literal: `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
struct NPYHeader: Equatable {
    static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)

    var type: String
    var isFortranOrder: Bool
    var shape: [Int]

    /// Bytes before the dictionary and in it, from the first 12 bytes; nil where those are not an array file's.
    static func size(_ bytes: [UInt8]) -> (prefix: Int, dictionary: Int)? {
        guard bytes.count >= 12, bytes.starts(with: magic) else { return nil }
        let short = Int(bytes[8]) | Int(bytes[9]) << 8
        return switch bytes[6] {
        case 1: (10, short)
        case 2, 3: (12, short | Int(bytes[10]) << 16 | Int(bytes[11]) << 24)
        default: nil
        }
    }

    /// Parses the dictionary; nil for anything but the three keys with values of their kinds.
    init?(dictionary: some Sequence<UInt8>) {
        var tokens = Self.tokens(String(decoding: Array(dictionary), as: UTF8.self))[...]
        var type: String?
        var order: Bool?
        var shape: [Int]?
        guard tokens.popFirst() == "{", tokens.popLast() == "}" else { return nil }
        while let key = tokens.popFirst() {
            guard tokens.popFirst() == ":", let value = tokens.popFirst() else { return nil }
            switch key {
            case "'descr'" where value.hasPrefix("'"): type = String(value.dropFirst().dropLast())
            case "'fortran_order'" where value == "True" || value == "False": order = value == "True"
            case "'shape'" where value == "(": shape = Self.tuple(&tokens)
            default: return nil
            }
            if let next = tokens.popFirst(), next != "," { return nil }
        }
        guard let type, let order, let shape else { return nil }
        self.type = type
        isFortranOrder = order
        self.shape = shape
    }

    private static func tuple(_ tokens: inout ArraySlice<String>) -> [Int]? {
        var values: [Int] = []
        while let token = tokens.popFirst() {
            if token == ")" { return values }
            // Python 2 wrote long integers as 3L.
            guard let value = Int(token.hasSuffix("L") ? String(token.dropLast()) : token), value >= 0 else {
                return nil
            }
            values.append(value)
            if tokens.first == "," { tokens.removeFirst() }
        }
        return nil
    }

    /// Brackets, commas and colons, quoted texts with their quotes as `'`, words.
    private static func tokens(_ text: String) -> [String] {
        var tokens: [String] = []
        var word = ""
        var quote: Character?
        for character in text {
            if let open = quote {
                word.append(character == open ? "'" : character)
                guard character == open else { continue }
                quote = nil
            } else if character == "'" || character == "\"" {
                quote = character
                word.append("'")
                continue
            } else if !character.isWhitespace, !"{}():,".contains(character) {
                word.append(character)
                continue
            }
            if !word.isEmpty { tokens.append(word) }
            word = ""
            if "{}():,".contains(character) { tokens.append(String(character)) }
        }
        return word.isEmpty ? tokens : tokens + [word]
    }
}

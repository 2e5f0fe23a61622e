/// A LightGBM text model, version 4, cut into its lines and fields; nothing is computed yet.
///
/// The text is a header of `key=value` lines, a block of such lines for each tree, `end of trees`, and a tail
/// (importances and parameters) that no score depends on. The header's `tree_sizes` holds the bytes of each block:
/// LightGBM cuts by it.
struct LightGBMText {
    /// One `key=value` line.
    struct Field {
        let key: String
        let value: ArraySlice<UInt8>
    }

    /// Most lines of the header and of a tree; LightGBM writes less than 20.
    private static let lineLimit = 64

    /// The lines of the header; one without `=` has an empty value.
    let header: [Field]
    /// The lines of each tree, without its first (`Tree=0`).
    let trees: [[Field]]
    /// Everything from the line `end of trees` on.
    let tail: ArraySlice<UInt8>

    init(_ bytes: [UInt8], limits: Forest.Limits) throws(ForestError) {
        guard bytes.count <= limits.bytes else {
            throw ForestError(.tooLarge, "the text model has \(bytes.count) bytes; the limit is \(limits.bytes)")
        }
        var (header, trees, starts): ([Field], [[Field]], [Int]) = ([], [], [])
        var position = 0
        var end: Int?
        while end == nil, let newline = bytes[position...].firstIndex(of: UInt8(ascii: "\n")) {
            let line = bytes[position..<newline]
            let field = Self.field(line)
            if line.elementsEqual("end of trees".utf8) {
                end = position
            } else if field.key == "Tree" {
                guard String(decoding: field.value, as: UTF8.self) == String(trees.count) else {
                    throw ForestError(.malformed, "tree \(trees.count) is missing or out of order")
                }
                guard trees.count < limits.trees else {
                    throw ForestError(.tooLarge, "the text model has more than \(limits.trees) trees")
                }
                starts.append(position)
                trees.append([])
            } else if !line.isEmpty {
                if trees.isEmpty { header.append(field) } else { trees[trees.count - 1].append(field) }
                guard header.count <= Self.lineLimit, trees.last?.count ?? 0 <= Self.lineLimit else {
                    throw ForestError(.tooLarge, "the header or a tree has more than \(Self.lineLimit) lines")
                }
            }
            position = newline + 1
        }
        guard header.first?.key == "tree" else {
            throw ForestError(.malformed, "not a LightGBM text model: its first line is not 'tree'")
        }
        guard let end else {
            throw ForestError(.malformed, "the text model is cut off: there is no line 'end of trees'")
        }
        self.header = header
        self.trees = trees
        tail = bytes[end...]
        let sizes = try Self.integers(
            self.header("tree_sizes"), count: trees.count, as: "tree_sizes", of: "the header")
        guard zip(starts, starts.dropFirst() + [end]).map({ $1 - $0 }) == sizes else {
            throw ForestError(
                .malformed, "tree_sizes in the header is not the size of each of the \(trees.count) trees")
        }
    }

    /// The value of a key that must be there exactly once.
    func value(_ key: String, in fields: [Field], of place: String) throws(ForestError) -> ArraySlice<UInt8> {
        let found = fields.filter { $0.key == key }
        guard found.count == 1, let field = found.first else {
            throw ForestError(.malformed, "\(place) has \(found.isEmpty ? "no" : "more than one") \(key)")
        }
        return field.value
    }

    /// The value of a key of the header that must be there exactly once.
    func header(_ key: String) throws(ForestError) -> ArraySlice<UInt8> {
        try value(key, in: header, of: "the header")
    }

    private static func field(_ line: ArraySlice<UInt8>) -> Field {
        let equals = line.firstIndex(of: UInt8(ascii: "=")) ?? line.endIndex
        return Field(key: String(decoding: line[..<equals], as: UTF8.self), value: line[equals...].dropFirst())
    }
}

extension LightGBMText {
    /// A known number of values separated by single spaces; nothing is no values.
    static func words(
        _ value: ArraySlice<UInt8>, count: Int, as key: String, of place: String
    ) throws(ForestError) -> [ArraySlice<UInt8>] {
        // Counted before anything is split, so that no text makes more memory necessary than the limits allow.
        let found = value.isEmpty ? 0 : 1 + value.count { $0 == UInt8(ascii: " ") }
        guard found == count else {
            throw ForestError(.malformed, "\(key) of \(place) has \(found) values, not \(count)")
        }
        return value.isEmpty ? [] : value.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
    }

    /// Decimal integers that fit 32 bits, as LightGBM's do.
    static func integers(
        _ value: ArraySlice<UInt8>, count: Int, as key: String, of place: String
    ) throws(ForestError) -> [Int] {
        var integers: [Int] = []
        for word in try words(value, count: count, as: key, of: place) {
            guard let integer = Int32(String(decoding: word, as: UTF8.self)) else { throw notANumber(word, key, place) }
            integers.append(Int(integer))
        }
        return integers
    }

    /// Decimal numbers, finite ones unless infinity is allowed.
    static func numbers(
        _ value: ArraySlice<UInt8>, count: Int, as key: String, of place: String, allowingInfinity: Bool = false
    ) throws(ForestError) -> [Double] {
        var numbers: [Double] = []
        for word in try words(value, count: count, as: key, of: place) {
            let text = String(decoding: word, as: UTF8.self)
            // `Double` also reads hexadecimal digits, NaN, and numbers too large as infinity.
            let isDecimal = word.allSatisfy { $0 < UInt8(ascii: "A") || $0 == UInt8(ascii: "e") }
            guard isDecimal || allowingInfinity && (text == "inf" || text == "-inf"), let number = Double(text),
                number.isFinite == isDecimal
            else { throw notANumber(word, key, place) }
            numbers.append(number)
        }
        return numbers
    }

    private static func notANumber(_ word: ArraySlice<UInt8>, _ key: String, _ place: String) -> ForestError {
        let text = String(decoding: word.prefix(40), as: UTF8.self)
        return ForestError(.malformed, "\(key) of \(place) holds '\(text)', not a number that is expected")
    }
}

import EnsembleModel
import NIOCore

/// The header of a NumPy `.npy` file, as far as predictions need it (NumPy's `numpy.lib.format`, versions 1 to 3).
struct NumpyHeader: Hashable, Sendable {
    enum Element: String, Hashable, Sendable {
        case float32 = "<f4"
        case float64 = "<f8"

        var bytes: Int { self == .float32 ? 4 : 8 }
    }

    var element: Element
    var rowCount: Int
    var columnCount: Int

    /// Longer headers are refused; NumPy's own are some 118 bytes.
    static let maximumBytes = 64 << 10

    /// Reads the header, leaving the reader at the first value.
    init(_ reader: inout ByteReader, name: String) throws {
        guard var start = try reader.bytes(8), start.readBytes(length: 6) == [0x93] + Array("NUMPY".utf8),
            let major = start.readInteger(as: UInt8.self)
        else { throw CommandError(.usage, "\(name) is not a NumPy .npy file") }
        guard (1...3).contains(major) else {
            throw CommandError(.usage, "\(name) has version \(major) of NumPy's format; 1, 2 and 3 are understood")
        }
        let width = major == 1 ? 2 : 4
        var lengthBytes = try reader.bytes(width)
        let length =
            major == 1
            ? lengthBytes?.readInteger(endianness: .little, as: UInt16.self).map(Int.init)
            : lengthBytes?.readInteger(endianness: .little, as: UInt32.self).map(Int.init)
        guard let length, length <= Self.maximumBytes, let text = try reader.bytes(length) else {
            throw CommandError(.usage, "\(name) has a broken NumPy header: it is cut short or too long")
        }
        try self.init(dictionary: String(buffer: text), name: name)
    }

    /// Reads the dictionary, e.g. `{'descr': '<f4', 'fortran_order': False, 'shape': (5000, 10), }`.
    init(dictionary: String, name: String) throws {
        var parser = PythonDictionary(dictionary)
        guard let values = parser.parse() else {
            throw CommandError(
                .usage, "\(name) has a NumPy header that is not understood: save a plain array of float32")
        }
        guard case .text(let descr) = values["descr"], let element = Element(rawValue: descr) else {
            throw CommandError(
                .usage,
                "\(name) does not hold little-endian float32 or float64: save it with numpy.save(file, p.astype('<f4'))"
            )
        }
        guard case .bool(false) = values["fortran_order"] else {
            throw CommandError(
                .usage, "\(name) is in Fortran order: save it with numpy.save(file, numpy.ascontiguousarray(p))")
        }
        guard case .tuple(let shape) = values["shape"], shape.count == 2, shape[1] > 0, shape[1] <= 1 << 20 else {
            throw CommandError(.usage, "\(name) is not a table: it must have the shape (rows, classes)")
        }
        (self.element, rowCount, columnCount) = (element, shape[0], shape[1])
    }
}

/// Reads a dictionary of Python literals: texts, booleans and tuples of integers.
private struct PythonDictionary {
    enum Value: Hashable {
        case text(String)
        case bool(Bool)
        case tuple([Int])
    }

    private var rest: Substring

    init(_ text: String) { rest = text[...] }

    /// The members, or nil when the text is anything else.
    mutating func parse() -> [String: Value]? {
        var values: [String: Value] = [:]
        guard take("{") else { return nil }
        while !take("}") {
            guard case .text(let key) = value(), take(":"), let value = value(),
                values.updateValue(value, forKey: key) == nil
            else { return nil }
            if !take(",") {
                guard take("}") else { return nil }
                break
            }
        }
        skipSpace()
        return rest.isEmpty ? values : nil
    }

    private mutating func value() -> Value? {
        if take("True") { return .bool(true) }
        if take("False") { return .bool(false) }
        if take("(") { return integers().map(Value.tuple) }
        for quote in ["'", "\""] where take(quote) {
            guard let end = rest.firstIndex(of: Character(quote)) else { return nil }
            defer { rest = rest[rest.index(after: end)...] }
            return .text(String(rest[..<end]))
        }
        return nil
    }

    private mutating func integers() -> [Int]? {
        var numbers: [Int] = []
        while !take(")") {
            skipSpace()
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            guard let number = Int(digits) else { return nil }
            rest = rest.dropFirst(digits.count)
            numbers.append(number)
            _ = take("L")
            if !take(",") {
                guard take(")") else { return nil }
                break
            }
        }
        return numbers
    }

    private mutating func take(_ token: String) -> Bool {
        skipSpace()
        guard rest.hasPrefix(token) else { return false }
        rest = rest.dropFirst(token.count)
        return true
    }

    private mutating func skipSpace() { rest = rest.drop { $0.isWhitespace } }
}

/// A statement and its parameters. What is interpolated becomes a parameter, never text:
/// ```swift
/// let statement: SQL = "SELECT name FROM member WHERE id = \(id)"  // SELECT name FROM member WHERE id = $1
/// ```
/// Statements compose: interpolating an `SQL` puts it in and renumbers its parameters.
public struct SQL: Sendable, ExpressibleByStringInterpolation {
    /// A parameter's type, and where in `bytes` its binary form is; nil is NULL.
    struct Parameter: Sendable {
        var type: PostgresType
        var range: Range<Int>?
    }

    /// The text around the parameters: always one piece more than there are parameters.
    private var pieces: [String]
    private(set) var parameters: [Parameter] = []
    /// The binary forms of all parameters, one after the other.
    private(set) var bytes: [UInt8] = []

    /// A statement without parameters.
    public init(stringLiteral text: String) {
        pieces = [text]
    }

    /// Text that is taken as it is. It must not come from outside the program.
    public init(unsafe text: String) {
        pieces = [text]
    }

    /// See the type's description.
    public init(stringInterpolation: StringInterpolation) {
        self = stringInterpolation.sql
    }

    /// The text with `$1`, `$2`, ... for the parameters.
    public var text: String {
        guard pieces.count > 1 else { return pieces[0] }
        var text = pieces[0]
        for (index, piece) in pieces.dropFirst().enumerated() {
            text += "$\(index + 1)"
            text += piece
        }
        return text
    }

    /// Appends `other`, its parameters renumbered.
    public mutating func append(_ other: SQL) {
        pieces[pieces.count - 1] += other.pieces[0]
        pieces += other.pieces.dropFirst()
        let start = bytes.count
        bytes += other.bytes
        parameters += other.parameters.map { parameter in
            let range = parameter.range.map { $0.lowerBound + start..<$0.upperBound + start }
            return Parameter(type: parameter.type, range: range)
        }
    }

    fileprivate mutating func append(text: String) {
        pieces[pieces.count - 1] += text
    }

    fileprivate mutating func append<Value: PostgresEncodable>(value: Value) {
        var range: Range<Int>?
        if !value.isPostgresNull {
            let start = bytes.count
            value.encodePostgres(into: &bytes)
            range = start..<bytes.count
        }
        parameters.append(Parameter(type: Value.postgresType, range: range))
        pieces.append("")
    }

    /// Collects the parts of an interpolated statement.
    public struct StringInterpolation: StringInterpolationProtocol {
        fileprivate var sql = SQL(unsafe: "")

        /// Called by the compiler.
        public init(literalCapacity: Int, interpolationCount: Int) {}

        /// Called by the compiler.
        public mutating func appendLiteral(_ literal: String) {
            sql.append(text: literal)
        }

        /// A parameter.
        public mutating func appendInterpolation<Value: PostgresEncodable>(_ value: Value) {
            sql.append(value: value)
        }

        /// A parameter that may be NULL. Not generic over the optional itself: the compiler would warn about every one.
        public mutating func appendInterpolation<Value: PostgresEncodable>(_ value: Value?) {
            sql.append(value: value)
        }

        /// A part of a statement.
        public mutating func appendInterpolation(_ part: SQL) {
            sql.append(part)
        }

        /// Text that is taken as it is. It must not come from outside the program.
        public mutating func appendInterpolation(unsafe text: String) {
            sql.append(text: text)
        }

        /// The name of a table, column, channel or the like, quoted.
        public mutating func appendInterpolation(identifier name: String) {
            sql.append(text: SQL.quoted(identifier: name))
        }
    }

    /// The name in double quotes, for statements that take no parameters.
    public static func quoted(identifier name: String) -> String {
        // Nothing quotes a NUL: the server would see the text end there.
        let parts = name.filter { $0 != "\0" }.split(separator: "\"", omittingEmptySubsequences: false)
        return "\"" + parts.joined(separator: "\"\"") + "\""
    }
}

extension Sequence<SQL> {
    /// The parts with `separator` between them.
    public func joined(separator: SQL) -> SQL {
        var result = SQL(unsafe: "")
        for (index, part) in enumerated() {
            if index > 0 { result.append(separator) }
            result.append(part)
        }
        return result
    }
}

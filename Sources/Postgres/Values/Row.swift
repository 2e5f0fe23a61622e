/// One row of a result or of a binary COPY. Rows of a result share its memory.
public struct Row: Sendable {
    enum Storage: Sendable {
        case result(ResultSet, row: Int)
        case copy(CopyTuple)
    }

    let storage: Storage

    /// The number of columns.
    public var count: Int {
        switch storage {
        case .result(let result, _): result.columnCount
        case .copy(let tuple): tuple.fields.count
        }
    }

    /// The value of a column by name.
    public subscript<T: PostgresDecodable>(column: String) -> T {
        get throws { try decode(column) }
    }

    /// The value of a column by position, from 0.
    public subscript<T: PostgresDecodable>(index: Int) -> T {
        get throws { try decode(index) }
    }

    /// The value of a column by name. Throws `.decoding` when there is none, or it is NULL or of another type.
    public func decode<T: PostgresDecodable>(_ column: String, as type: T.Type = T.self) throws -> T {
        guard case .result(let result, _) = storage else {
            throw PostgresError(.decoding, "The rows of a COPY have no column names; decode by position.")
        }
        guard let index = result.index(of: column) else {
            throw PostgresError(.decoding, "The result has no column \"\(column)\"; name it in the statement.")
        }
        return try decode(index)
    }

    /// The value of a column by position, from 0. Throws `.decoding` as the form by name does.
    public func decode<T: PostgresDecodable>(_ index: Int, as type: T.Type = T.self) throws -> T {
        guard (0..<count).contains(index) else {
            throw PostgresError(.decoding, "The row has \(count) columns; there is none at position \(index).")
        }
        switch storage {
        case .result(let result, let row):
            if let value = T(postgres: result.field(row: row, column: index)) { return value }
            let field = result.field(row: row, column: index)
            throw Self.mismatch("Column \"\(result.name(of: index))\"", field, T.self)
        case .copy(let tuple):
            if let value = tuple.withField(index, { T(postgres: $0) }) { return value }
            throw tuple.withField(index) { Self.mismatch("Column \(index)", $0, T.self) }
        }
    }

    /// The only column.
    public func decode<T: PostgresDecodable>(_ type: T.Type) throws -> T {
        guard count == 1 else { throw PostgresError(.decoding, "The row has \(count) columns, 1 was asked for.") }
        return try decode(0)
    }

    /// All columns by position: `let (id, name) = try row.decode(Int64.self, String.self)`.
    public func decode<each T: PostgresDecodable>(_ types: repeat (each T).Type) throws -> (repeat each T) {
        var index = 0
        for _ in repeat each types { index += 1 }
        guard index == count else {
            throw PostgresError(.decoding, "The row has \(count) columns, \(index) were asked for.")
        }
        index = 0
        func next<Value: PostgresDecodable>(_: Value.Type) throws -> Value {
            defer { index += 1 }
            return try decode(index)
        }
        return (repeat try next(each types))
    }

    private static func mismatch(_ column: String, _ field: PostgresField, _ type: Any.Type) -> PostgresError {
        let found =
            switch (field.bytes, field.type) {
            case (nil, _): "is NULL; ask for an optional"
            case (let bytes?, .unknown): "has \(bytes.count) bytes in another form; cast it in the statement"
            case (_, let type):
                "has the type with OID \(type.rawValue) or a value out of range; cast it in the statement"
            }
        return PostgresError(.decoding, "\(column) cannot be read as \(type): it \(found).")
    }
}

import CLibpq
import Glibc

/// Owns one of libpq's results.
// Unchecked: a result does not change once libpq has returned it, and libpq documents reading it from several threads.
final class ResultSet: @unchecked Sendable {
    private let pointer: OpaquePointer

    init(_ pointer: OpaquePointer) {
        self.pointer = pointer
    }

    deinit {
        PQclear(pointer)
    }

    var status: ExecStatusType { PQresultStatus(pointer) }
    var rowCount: Int { Int(PQntuples(pointer)) }
    var columnCount: Int { Int(PQnfields(pointer)) }
    var isBinary: Bool { PQbinaryTuples(pointer) == 1 }
    var command: String { PQcmdStatus(pointer).map { String(cString: $0) } ?? "" }
    var affectedRows: Int { PQcmdTuples(pointer).flatMap { Int(String(cString: $0)) } ?? 0 }
    var rows: [Row] { (0..<rowCount).map { Row(storage: .result(self, row: $0)) } }

    func name(of column: Int) -> String {
        PQfname(pointer, Int32(column)).map { String(cString: $0) } ?? ""
    }

    /// The first column with exactly this name; libpq's own look-up would fold its case.
    func index(of name: String) -> Int? {
        name.withCString { name in
            (0..<columnCount).first { column in PQfname(pointer, Int32(column)).map { strcmp($0, name) == 0 } ?? false }
        }
    }

    /// The field's bytes live as long as the result.
    func field(row: Int, column: Int) -> PostgresField {
        let (row, column) = (Int32(row), Int32(column))
        let type = PostgresType(rawValue: PQftype(pointer, column))
        guard PQgetisnull(pointer, row, column) == 0, let value = PQgetvalue(pointer, row, column) else {
            return PostgresField(type: type, bytes: nil)
        }
        let length = Int(PQgetlength(pointer, row, column))
        return PostgresField(type: type, bytes: UnsafeRawBufferPointer(start: value, count: length))
    }

    /// The server's error, or nil if the result is none.
    var error: PostgresError? {
        guard status == PGRES_FATAL_ERROR else { return nil }
        func diagnostic(_ field: Int) -> String? {
            PQresultErrorField(pointer, Int32(field)).map { String(cString: $0) }
        }
        guard let code = diagnostic(DIAGNOSTIC_SQLSTATE) else {
            // libpq makes errors without a code when the connection breaks.
            return PostgresError(.connectionLost, "The connection to the database broke during a statement.")
        }
        let state = SQLState(rawValue: code)
        return PostgresError(
            .server(state), state.publicMessage(diagnostic(DIAGNOSTIC_MESSAGE_PRIMARY)),
            constraintName: diagnostic(DIAGNOSTIC_CONSTRAINT_NAME),
            tableName: diagnostic(DIAGNOSTIC_TABLE_NAME))
    }
}

extension SQLState {
    /// The classes whose primary messages name only what the schema or the statement's text names. Others, class 22
    /// first of all, quote values.
    private static let classesWithoutData: Set<Substring> = [
        "08", "0A", "21", "23", "25", "26", "28", "2B", "3D", "3F", "40", "42", "53", "54", "55", "57", "58", "P0",
        "XX",
    ]

    func publicMessage(_ primary: String?) -> String {
        if let primary, Self.classesWithoutData.contains(rawValue.prefix(2)) { return primary }
        return switch self {
        case .numericValueOutOfRange: "a number is out of its type's range"
        case .invalidTextRepresentation: "a text is not in its type's form"
        case .dataException: "a value is not one that its type or the function takes"
        default: "the server refused the statement"
        }
    }
}

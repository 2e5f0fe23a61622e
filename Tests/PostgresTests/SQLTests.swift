import Testing

@testable import Postgres

@Test func sqlComposes() {
    let part: SQL = "b = \(2) AND c = \("x")"
    let sql: SQL = "SELECT \(identifier: "we\"ird") FROM t WHERE a = \(1) AND \(part) \(unsafe: "LIMIT 1")"
    #expect(sql.text == #"SELECT "we""ird" FROM t WHERE a = $1 AND b = $2 AND c = $3 LIMIT 1"#)
    #expect(sql.parameters.map(\.type) == [.int8, .int8, .text])
}

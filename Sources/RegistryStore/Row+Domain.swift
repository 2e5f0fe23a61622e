import EnsembleModel
import Foundation
import Postgres

/// Columns as domain values. What cannot be read as one is damage, not input: it was checked on the way in.
extension Row {
    func value<Value: RawRepresentable<String>>(_ column: String, as type: Value.Type = Value.self) throws -> Value {
        guard let value = Value(rawValue: try self[column]) else { throw Self.corrupt(column) }
        return value
    }

    func optional<Value: RawRepresentable<String>>(_ column: String, as type: Value.Type = Value.self) throws -> Value?
    {
        guard let text: String = try self[column] else { return nil }
        guard let value = Value(rawValue: text) else { throw Self.corrupt(column) }
        return value
    }

    func model(_ column: String) throws -> ModelVersionID {
        try Self.checked(column) { try ModelVersionID(self[column] as String) }
    }

    func optionalModel(_ column: String) throws -> ModelVersionID? {
        guard let text: String = try self[column] else { return nil }
        return try Self.checked(column) { try ModelVersionID(text) }
    }

    func models(_ column: String) throws -> [ModelVersionID] {
        let texts: [String] = try self[column] ?? []
        return try Self.checked(column) { try texts.map { try ModelVersionID($0) } }
    }

    func digest(_ column: String) throws -> ContentDigest {
        try Self.checked(column) { try ContentDigest(hex: self[column] as String) }
    }

    func optionalDigest(_ column: String) throws -> ContentDigest? {
        guard let text: String = try self[column] else { return nil }
        return try Self.checked(column) { try ContentDigest(hex: text) }
    }

    func json<Value: Decodable>(_ column: String, as type: Value.Type = Value.self) throws -> Value {
        let json: JSON = try self[column]
        return try Self.checked(column) { try JSONDecoder().decode(Value.self, from: Data(json.bytes)) }
    }

    private static func checked<Value>(_ column: String, _ read: () throws -> Value) throws -> Value {
        do {
            return try read()
        } catch let error as PostgresError {
            throw StoreError(error)
        } catch {
            throw corrupt(column)
        }
    }

    private static func corrupt(_ column: String) -> StoreError {
        StoreError(
            .corrupt, "the stored '\(column)' is not valid; restore the database from a backup, or use a newer program")
    }
}

extension JSON {
    /// The value's JSON, keys sorted.
    init(encoding value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        self.init(bytes: Array(try encoder.encode(value)))
    }
}

extension Ledger {
    /// Columns of `ledger l` that ``init(row:)`` reads, and the retired loss beside them.
    static let columns: SQL = """
        l.tests, l.alpha_spent, l.submitter_tests, l.evaluations, l.promotions, l.cool_downs, l.tenures, l.retired_loss
        """

    init(row: Row) throws {
        self.init(
            tests: try row["tests"], alphaSpent: try row["alpha_spent"],
            submitterTests: try row.json("submitter_tests"), evaluations: try row["evaluations"],
            promotions: try row["promotions"], coolDowns: try row.json("cool_downs"),
            tenures: try row.json("tenures"))
    }
}

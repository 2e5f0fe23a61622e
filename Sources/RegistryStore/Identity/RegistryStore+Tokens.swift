public import EnsembleModel
import Foundation
import Postgres

extension RegistryStore {
    /// Creates a token. The secret is in the answer only: of it, the database keeps the SHA-256.
    ///
    /// - Parameters:
    ///   - name: whom the token stands for; not unique, so that a token can be replaced without a gap.
    ///   - scopes: at least one.
    ///   - actor: who creates it.
    public func createToken(
        name: String, scopes: [Scope], actor: String
    ) async throws -> (record: TokenRecord, secret: String) {
        guard !scopes.isEmpty else { throw StoreError(.invalidValue, "a token needs at least one scope") }
        let scopes = Scope.allCases.filter(scopes.contains)
        let secret = Self.makeSecret()
        let record = try await transaction { connection in
            let rows = try await connection.query(
                """
                INSERT INTO api_token (name, secret_sha256, scopes, created_by)
                VALUES (\(name), \(ContentDigest.of(secret).hex), \(scopes.map(\.rawValue)), \(actor))
                RETURNING \(TokenRecord.columns)
                """)
            guard let row = rows.first else { throw StoreError(.internalError, "the token was not stored") }
            let record = try TokenRecord(row: row)
            try await Self.audit(
                .createToken, subject: "token \(record.id)", actor: actor,
                detail: ["name": .string(name), "scopes": .array(scopes.map { .string($0.rawValue) })], on: connection)
            return record
        }
        return (record, secret)
    }

    /// The token with this secret; nil when there is none or it was revoked.
    public func authenticate(secret: String) async throws -> TokenRecord? {
        try await query(
            """
            SELECT \(TokenRecord.columns) FROM api_token
            WHERE secret_sha256 = \(ContentDigest.of(secret).hex) AND revoked_at IS NULL
            """, TokenRecord.init(row:)
        ).first
    }

    /// All tokens, revoked ones too, by id.
    public func tokens() async throws -> [TokenRecord] {
        try await query("SELECT \(TokenRecord.columns) FROM api_token ORDER BY id", TokenRecord.init(row:))
    }

    /// Revokes a token; again does nothing.
    ///
    /// - Throws: ``StoreError`` with code `notFound`.
    public func revoke(token id: Int64, actor: String) async throws {
        try await transaction { connection in
            let revoked = try await connection.execute(
                "UPDATE api_token SET revoked_at = now() WHERE id = \(id) AND revoked_at IS NULL")
            if revoked == 1 {
                return try await Self.audit(
                    .revokeToken, subject: "token \(id)", actor: actor, detail: [:], on: connection)
            }
            guard try await connection.query("SELECT id FROM api_token WHERE id = \(id)").count == 1 else {
                throw StoreError.notFound("token", id)
            }
        }
    }

    /// How many tokens have been revoked: while it stays the same, no token has lost its scopes.
    public func revocationCount() async throws -> Int {
        try await query("SELECT count(revoked_at) FROM api_token") { try $0.decode(Int.self) }.first ?? 0
    }

    /// How many tokens in force stand for anybody but `name`, such as the daemon's own.
    public func tokenCount(notNamed name: String) async throws -> Int {
        try await query("SELECT count(*) FROM api_token WHERE revoked_at IS NULL AND name <> \(name)") {
            try $0.decode(Int.self)
        }
        .first ?? 0
    }

    /// `ert_` and 32 bytes of the system's secure generator in base64url.
    private static func makeSecret() -> String {
        var generator = SystemRandomNumberGenerator()
        let bytes = (0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        let text = Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing(
            "=", with: "")
        return "ert_\(text)"
    }
}

extension TokenRecord {
    fileprivate static let columns: SQL = "id, name, scopes, created_at, created_by, revoked_at"

    fileprivate init(row: Row) throws {
        let scopes: [String] = try row["scopes"]
        self.init(
            id: try row["id"], name: try row["name"], scopes: scopes.compactMap(Scope.init(rawValue:)),
            createdAt: try row["created_at"], createdBy: try row["created_by"], revokedAt: try row["revoked_at"])
    }
}

import Postgres

/// What an ensemble's head row says, with what every writer needs beside it.
struct EnsembleHead: Sendable {
    /// How long others must leave the row alone.
    enum Lock {
        /// Just a look.
        case none
        /// It stays as it is until the end of the transaction.
        case share
        /// It will be changed.
        case update

        fileprivate var clause: SQL {
            switch self {
            case .none: ""
            case .share: "FOR SHARE OF h"
            case .update: "FOR UPDATE OF h"
            }
        }
    }

    let ensembleID: Int64
    let ensemble: String
    let classes: [String]
    let generation: Int
    let sequence: Int
    let epoch: Int
    let policyVersion: Int

    /// Reads and locks a head.
    ///
    /// - Throws: ``StoreError`` with code `ensembleNotFound`.
    static func read(_ ensemble: String, lock: Lock, on connection: Connection) async throws -> EnsembleHead {
        guard let head = try await first(where: "e.name = \(ensemble)", lock: lock, on: connection) else {
            throw StoreError.ensembleNotFound(ensemble)
        }
        return head
    }

    /// The head of an evaluation's ensemble; nil when there is no such evaluation.
    static func of(evaluation: Int64, lock: Lock, on connection: Connection) async throws -> EnsembleHead? {
        try await first(
            where: "e.id = (SELECT v.ensemble_id FROM evaluation v WHERE v.id = \(evaluation))", lock: lock,
            on: connection)
    }

    private static func first(where condition: SQL, lock: Lock, on connection: Connection) async throws -> EnsembleHead?
    {
        try await connection.query(
            """
            SELECT e.id, e.name, e.classes, h.generation, h.sequence, h.epoch, h.policy_version
            FROM ensemble_head h JOIN ensemble e ON e.id = h.ensemble_id
            WHERE \(condition) \(lock.clause)
            """
        ).first.map(EnsembleHead.init(row:))
    }

    private init(row: Row) throws {
        ensembleID = try row["id"]
        ensemble = try row["name"]
        classes = try row["classes"]
        generation = try row["generation"]
        sequence = try row["sequence"]
        epoch = try row["epoch"]
        policyVersion = try row["policy_version"]
    }
}

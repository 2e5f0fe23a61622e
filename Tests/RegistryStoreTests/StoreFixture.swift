import EnsembleModel
import Foundation
import Logging
import Postgres
import RegistryTesting

@testable import RegistryStore

/// A store over a migrated database of its own, and short ways to bring it into the states that tests start from.
struct StoreFixture: Sendable {
    static let ensemble = "letters"
    static let time = Date(timeIntervalSince1970: 1_800_000_000)

    let store: RegistryStore
    let client: PostgresClient
    let connectionString: String

    /// Runs `body` with a fresh database; `migrated` says whether it has the schema.
    nonisolated(nonsending) static func with(
        migrated: Bool = true, _ body: nonisolated(nonsending) (StoreFixture) async throws -> Void
    ) async throws {
        await Gate.databases.enter()
        do {
            try await TestCluster.withDatabase { try await run(body, on: $0, migrated: migrated) }
        } catch {
            await Gate.databases.leave()
            throw error
        }
        await Gate.databases.leave()
    }

    private nonisolated(nonsending) static func run(
        _ body: nonisolated(nonsending) (StoreFixture) async throws -> Void, on connectionString: String, migrated: Bool
    ) async throws {
        var configuration = PostgresConfiguration(connectionString: connectionString)
        configuration.maximumConnections = 10
        var logger = Logger(label: "store-test")
        logger.logLevel = .error
        try await PostgresClient.withClient(configuration: configuration, logger: logger) { client in
            let fixture = StoreFixture(
                store: RegistryStore(client: client, logger: logger, signer: PlainSigner()), client: client,
                connectionString: connectionString)
            if migrated {
                _ = try await fixture.store.migrate()
                try await fixture.addRoot()
            }
            try await body(fixture)
        }
    }

    /// Runs `body` with a fresh database that has the ensemble `letters`.
    nonisolated(nonsending) static func withEnsemble(
        rows: Int = 4, policy: Policy = Policy(),
        _ body: nonisolated(nonsending) (StoreFixture) async throws -> Void
    ) async throws {
        try await with { fixture in
            try await fixture.create(ensemble, rows: rows, policy: policy)
            try await body(fixture)
        }
    }

    // MARK: Ensembles and submissions

    /// Rows `row-0`, `row-1`, ... in groups of two, from `start`.
    static func validation(rows: Int, from start: Int = 0) throws -> ValidationSet {
        try ValidationSet(
            classes: ["a", "b"],
            rows: (start..<start + rows).map {
                .init(id: "row-\($0)", label: $0 % 2, group: "group-\($0 / 2)", slice: "slice-\($0 % 3)")
            })
    }

    func create(_ name: String, rows: Int = 4, policy: Policy = Policy()) async throws {
        _ = try await store.createEnsemble(
            name: name, description: "", validation: Self.validation(rows: rows), policy: policy, actor: "ann")
    }

    /// Probabilities that depend on `seed` only, so that another seed gives other predictions.
    static func predictions(rows: Int, seed: Int = 1) throws -> Predictions {
        try Predictions(
            values: (0..<rows).flatMap { row in
                let first = Float((row + seed) % 101) / 101
                return [first, 1 - first]
            }, classCount: 2)
    }

    static func new(
        _ model: String, ensemble: String = ensemble, predictions: Predictions,
        metadata: ModelMetadata = ModelMetadata(),
        key: String? = nil, epoch: Int = 1, actor: String = "sam"
    ) throws -> RegistryStore.NewSubmission {
        RegistryStore.NewSubmission(
            ensemble: ensemble, epoch: epoch, model: try ModelVersionID(model), metadata: metadata,
            predictions: predictions.digest, rowCount: predictions.rowCount, missingRowCount: 0, idempotencyKey: key,
            actor: actor)
    }

    /// Submits a model with made-up predictions.
    @discardableResult
    func submit(
        _ model: String, to ensemble: String = ensemble, rows: Int = 4, seed: Int = 1,
        metadata: ModelMetadata = ModelMetadata(),
        key: String? = nil, epoch: Int = 1, actor: String = "sam"
    ) async throws -> (record: SubmissionRecord, accepted: Bool) {
        let predictions = try Self.predictions(rows: rows, seed: seed)
        let new = try Self.new(
            model, ensemble: ensemble, predictions: predictions, metadata: metadata, key: key, epoch: epoch,
            actor: actor)
        return try await store.submit(new) { write in
            for block in predictions.blocks { try await write(block) }
        }
    }

    // MARK: Evaluations

    /// Claims the next evaluation, which must be there.
    func claim(worker: String = "worker", lease: Duration = .seconds(60)) async throws -> RegistryStore.Claim {
        guard let claim = try await store.claim(worker: worker, lease: lease) else { throw Missing("a claim") }
        return claim
    }

    func complete(_ claim: RegistryStore.Claim, _ verdict: Verdict = .admit, retiring: Set<String> = []) async throws {
        try await store.complete(
            claim, outcome: claim.outcome(verdict, retiring: retiring), worker: "worker", programVersion: "1.0",
            seconds: 1.5)
    }

    /// Claims, completes and publishes the next evaluation.
    @discardableResult
    func decideNext(_ verdict: Verdict = .admit, retiring: Set<String> = []) async throws -> RegistryStore.Publication {
        let claim = try await claim()
        try await complete(claim, verdict, retiring: retiring)
        return try await store.publish(evaluation: claim.evaluation, now: Self.time)
    }

    /// Submits models and founds the ensemble of them.
    func found(_ models: [String] = ["m1@1", "m2@1"], ensemble: String = ensemble) async throws {
        for (index, model) in models.enumerated() { try await submit(model, to: ensemble, seed: index) }
        _ = try await store.requestFounding(ensemble: ensemble, actor: "ann")
        guard case .published = try await decideNext() else { throw Missing("a founding") }
    }

    // MARK: The database itself

    /// Stores the first root, of ``PlainSigner``, as though it had always been there.
    func addRoot() async throws {
        try await client.execute(
            "INSERT INTO root_metadata (version, body, created_at, created_by) VALUES (1, '\\x01', now(), 'ann')")
    }

    /// A store over the same database that signs otherwise, or not at all.
    func signing(with signer: (any MetadataSigner)?) -> RegistryStore {
        RegistryStore(client: client, logger: store.logger, signer: signer)
    }

    /// The single number that a statement gives.
    func number(_ statement: SQL) async throws -> Int {
        guard let row = try await client.query(statement).first else { throw Missing("a row") }
        return try row.decode(Int.self)
    }

    /// Everything that is stored of an epoch's ledger.
    func ledger(of ensemble: String = ensemble) async throws -> String {
        let rows = try await client.query(
            "SELECT row(l.*)::text FROM ledger l JOIN ensemble e ON e.id = l.ensemble_id WHERE e.name = \(ensemble)")
        guard let row = rows.first else { throw Missing("a ledger") }
        return try row.decode(String.self)
    }

    /// The rows of every table that a submission or a publication may write.
    func rowCounts() async throws -> [String: Int] {
        var counts: [String: Int] = [:]
        for table in [
            "model_version", "submission", "prediction_block", "evaluation", "evaluation_outcome", "utility_score",
            "combiner",
            "decision", "manifest", "promotion", "signed_metadata", "metadata_head", "audit_event",
        ] {
            counts[table] = try await number("SELECT count(*) FROM \(identifier: table)")
        }
        return counts
    }

    /// Changes what the schema forbids to change, as somebody with the database's password could.
    func tamper(_ table: String, _ statement: SQL) async throws {
        try await client.execute("ALTER TABLE \(identifier: table) DISABLE TRIGGER USER")
        try await client.execute(statement)
        try await client.execute("ALTER TABLE \(identifier: table) ENABLE TRIGGER USER")
    }

    struct Missing: Error, CustomStringConvertible {
        let description: String
        init(_ what: String) { description = "\(what) was expected" }
    }
}

extension Predictions {
    /// The values as they are stored: 65,536 rows a block.
    var blocks: [[UInt8]] {
        stride(from: 0, to: rowCount, by: StoreLimits.blockRows).map { start in
            let end = min(start + StoreLimits.blockRows, rowCount)
            return values[start * classCount..<end * classCount].withUnsafeBytes { Array($0) }
        }
    }
}

/// The code of the ``StoreError`` that `body` throws; nil when it throws nothing or something else.
nonisolated(nonsending) func storeError(
    _ body: nonisolated(nonsending) () async throws -> Void
) async -> StoreError.Code? {
    do {
        try await body()
        return nil
    } catch {
        return (error as? StoreError)?.code
    }
}

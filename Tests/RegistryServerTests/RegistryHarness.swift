import Boosting
import EnsembleModel
import Foundation
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import NIOCore
import NIOFoundationCompat
import Postgres
import RegistryAPI
import RegistryStore
import RegistryTesting
import RegistryWorker
import Testing
import Trust

@testable import RegistryServer

/// The daemon's HTTP API over a database of its own, with a worker and a publisher to be stepped by hand.
struct RegistryHarness {
    let client: any TestClientProtocol
    let store: RegistryStore
    let worker: EvaluationWorker
    let database: String
    /// A token of every scope.
    let admin: String
    let keys: TestKeys
    let parts: DaemonParts
    private let postgres: PostgresClient

    static func with(
        limits: DaemonLimits = DaemonLimits(), logger: Logger? = nil,
        _ body: @escaping @Sendable (RegistryHarness) async throws -> Void
    ) async throws {
        try await TestCluster.withDatabase { database in
            let logger = logger ?? quiet
            let configuration = PostgresConfiguration(connectionString: database)
            try await PostgresClient.withClient(configuration: configuration, logger: logger) {
                try await run($0, database: database, limits: limits, logger: logger, body)
            }
        }
    }

    private static var quiet: Logger {
        // A handler that keeps metadata: the id of a request lives there.
        var logger = Logger(label: "test") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .critical
        return logger
    }

    private static func run(
        _ postgres: PostgresClient, database: String, limits: DaemonLimits, logger: Logger,
        _ body: @escaping @Sendable (RegistryHarness) async throws -> Void
    ) async throws {
        let keys = try TestKeys()
        let store = RegistryStore(client: postgres, logger: logger, signer: keys.signer)
        _ = try await store.migrate()
        try await store.addRoot(keys.root.bytes, version: 1, actor: "test", now: Date())
        let (_, admin) = try await store.createToken(name: "tester", scopes: [.admin], actor: "test")
        let worker = EvaluationWorker(
            store: store, library: try LightGBM.load(), configuration: .init(name: "test", threads: 1), logger: logger)
        try await ScratchDirectory.with { directory in
            let parts = DaemonParts(store: store, limits: limits, logger: logger)
            let router = RegistryDaemon.router(parts, spoolDirectory: directory.path)
            try await Application(router: router, services: parts.services, logger: logger).test(.router) { client in
                try await body(
                    RegistryHarness(
                        client: client, store: store, worker: worker, database: database, admin: admin, keys: keys,
                        parts: parts, postgres: postgres))
            }
        }
    }

    /// Sends a request, with the admin's token unless told otherwise.
    func send(
        _ method: HTTPRequest.Method, _ path: String, headers: HTTPFields = [:], body: String = "", token: String? = nil
    ) async throws -> TestResponse {
        try await send(method, path, headers: headers, bytes: Array(body.utf8), token: token)
    }

    /// Sends a request with a body of bytes.
    func send(
        _ method: HTTPRequest.Method, _ path: String, headers: HTTPFields = [:], bytes: [UInt8], token: String? = nil
    ) async throws -> TestResponse {
        var headers = headers
        headers[.authorization] = "Bearer \(token ?? admin)"
        return try await client.execute(uri: path, method: method, headers: headers, body: ByteBuffer(bytes: bytes))
    }

    /// Evaluates and publishes until nothing is queued.
    func settle() async throws {
        var worked = true
        while worked {
            worked = await worker.workOnce()
            while let evaluation = try await store.nextEvaluated() {
                _ = try await store.publish(evaluation: evaluation, now: Date())
                worked = true
            }
        }
    }

    /// The same with a worker that has nothing in its caches.
    func withFreshWorker() throws -> RegistryHarness {
        let worker = EvaluationWorker(
            store: store, library: try LightGBM.load(), configuration: .init(name: "fresh", threads: 1),
            logger: Logger(label: "test") { StreamLogHandler.standardError(label: $0) })
        return RegistryHarness(
            client: client, store: store, worker: worker, database: database, admin: admin, keys: keys,
            parts: parts, postgres: postgres)
    }

    /// The same database with other keys.
    func store(signer: DaemonSigner) -> RegistryStore {
        RegistryStore(client: postgres, logger: Logger(label: "test"), signer: signer)
    }

    /// Makes a token and gives its secret.
    func token(_ name: String, _ scopes: [Scope]) async throws -> String {
        try await store.createToken(name: name, scopes: scopes, actor: "test").secret
    }

    /// Creates an ensemble from a simulated task.
    func create(_ name: String, _ task: SimulatedTask, policy: String = "{}") async throws -> TestResponse {
        let classes = task.validation.classes.map { "class=\($0)" }.joined(separator: "&")
        let policy = policy.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
        return try await send(.put, "\(APIPath.ensemble(name))?\(classes)&policy=\(policy)", body: task.labelsCSV)
    }

    /// Submits predictions as CSV.
    func submit(
        _ model: String, to ensemble: String, _ task: SimulatedTask, _ predictions: Predictions, token: String? = nil
    ) async throws -> TestResponse {
        try await send(
            .post, "\(APIPath.submissions(ensemble))?model=\(model)", body: task.csv(predictions), token: token)
    }

    /// The newest decision of a submission, which must have one.
    func decision(of submission: SubmissionRecord) async throws -> DecisionRecord {
        let record: SubmissionRecord = try await send(.get, APIPath.submission(submission.id)).decoded()
        return try await send(.get, APIPath.decision(#require(record.evaluation?.decision))).decoded()
    }
}

extension TestResponse {
    /// The body in the API's JSON.
    func decoded<Value: Decodable>(as type: Value.Type = Value.self) throws -> Value {
        try APIJSON.decoder().decode(Value.self, from: Data(buffer: body))
    }

    /// The code of a problem.
    var problem: ProblemCode? { try? decoded(as: Problem.self).code }
}

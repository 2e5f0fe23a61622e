import EnsembleModel
import Foundation
import Hummingbird
import HummingbirdTesting
import Logging
import NIOCore
import RegistryTesting

@testable import ServingNode

/// A node's serving side around one ensemble, with its calls to members running.
struct ServingFixture: Sendable {
    let client: any TestClientProtocol
    let serving: EnsembleServing
    let calls: MemberCalls
    let caches: RowCaches

    /// Runs `body`; the calls are ended afterwards.
    static func with<Result: Sendable>(
        _ served: ServedEnsemble, limits: NodeLimits = NodeLimits(), members: MemberLimits = .patient,
        options: ServingOptions = ServingOptions(), logger: Logger = FollowerFixture.logger,
        _ body: @escaping @Sendable (ServingFixture) async throws -> Result
    ) async throws -> Result {
        let calls = MemberCalls(limits: members)
        let caches = RowCaches(options)
        let serving = EnsembleServing(served, calls: calls, caches: caches, limits: limits, logger: logger)
        let router = InferenceRoutes([serving], calls: calls, caches: caches, limits: limits).router()
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await calls.run() }
            defer { group.cancelAll() }
            return try await Application(router: router, logger: FollowerFixture.logger).test(.router) { client in
                try await body(ServingFixture(client: client, serving: serving, calls: calls, caches: caches))
            }
        }
    }

    /// The answer to a request for some rows of the members' tables, which brings no member's tensor.
    func ask(
        _ rows: [Int], keys: [String]? = nil, groups: [String]? = nil, given: [InferenceBody.Input] = [],
        extra: String = ""
    ) async throws -> InferenceTests.Answer {
        try await InferenceTests.infer(client, Self.body(rows, keys: keys, groups: groups, given: given, extra: extra))
    }

    static func body(
        _ rows: [Int], keys: [String]? = nil, groups: [String]? = nil, given: [InferenceBody.Input] = [],
        extra: String = ""
    ) -> String {
        var body = InferenceBody(members: [], groups: groups)
        body.inputs += given
        body.inputs.append(.init(name: "row", datatype: "INT64", shape: "[\(rows.count), 1]", data: "\(rows)"))
        if let keys {
            body.inputs.append(.init(name: "key", datatype: "BYTES", shape: "[\(keys.count)]", data: "\(keys)"))
        }
        body.extra = extra
        return body.json
    }

    /// Status and body of an answer.
    func post(_ body: String) async throws -> String {
        try await client.execute(uri: "/v2/models/digits/infer", method: .post, body: ByteBuffer(string: body)) {
            "\($0.status.code) \(String(buffer: $0.body))"
        }
    }

    func get(_ path: String) async throws -> String {
        try await client.execute(uri: path, method: .get) { "\($0.status.code) \(String(buffer: $0.body))" }
    }

    func lane(_ member: String) -> MemberLane? { calls.all.first { $0.key.model == member }?.lane }
}

extension MemberLimits {
    /// Nothing is late on a busy machine.
    static var patient: MemberLimits {
        var limits = MemberLimits()
        limits.timeout = .seconds(60)
        return limits
    }
}

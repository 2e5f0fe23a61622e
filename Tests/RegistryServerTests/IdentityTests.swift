import EnsembleModel
import Foundation
import HTTPTypes
import HummingbirdTesting
import NIOCore
import RegistryAPI
import RegistryTesting
import Testing

/// Every request carries an identity, and each route asks for its scopes.
@Suite struct IdentityTests {
    @Test func withoutAValidTokenNothingIsTold() async throws {
        try await RegistryHarness.with { registry in
            for path in [
                APIPath.ensembles, APIPath.ensemble("pets"), APIPath.models, APIPath.tokens, APIPath.manifest("pets"),
                APIPath.submission(1), APIPath.evaluation(1), APIPath.decision(1), APIPath.evidence(1),
                APIPath.sealedEvidence(1),
                APIPath.rows("pets"), APIPath.championRows("pets"), APIPath.policy("pets"), APIPath.policies("pets"),
            ] {
                let answer = try await registry.send(.get, path, token: "ert_wrong")
                #expect(answer.problem == .unauthenticated, "\(path)")
                #expect(answer.headers[.wwwAuthenticate] == "Bearer")
            }
        }
    }

    @Test(arguments: Scope.allCases)
    func eachScopeOpensItsRoutesOnly(scope: Scope) async throws {
        try await RegistryHarness.with { registry in
            _ = try await registry.create("pets", SimulatedTask(rowCount: 200))
            let body = try String(
                decoding: APIJSON.encoder().encode(CreateTokenRequest(name: "narrow", scopes: [scope])), as: UTF8.self)
            let created: CreatedToken = try await registry.send(.post, APIPath.tokens, body: body).decoded()
            let token = created.secret
            func allowed(_ method: HTTPRequest.Method, _ path: String) async throws -> Bool {
                try await registry.send(method, path, token: token).problem != .forbidden
            }
            #expect(try await allowed(.get, APIPath.ensembles) == [.read, .admin].contains(scope))
            #expect(try await allowed(.get, APIPath.rows("pets")) == [.read, .submit, .admin].contains(scope))
            #expect(try await allowed(.get, APIPath.manifest("pets")) == [.read, .node, .admin].contains(scope))
            #expect(try await allowed(.get, APIPath.evidence(1)) == [.read, .submit, .audit, .admin].contains(scope))
            #expect(try await allowed(.get, APIPath.sealedEvidence(1)) == [.audit, .admin].contains(scope))
            #expect(try await allowed(.post, APIPath.submissions("pets")) == [.submit, .admin].contains(scope))
            #expect(try await allowed(.post, APIPath.found("pets")) == [.admin].contains(scope))
            #expect(try await allowed(.get, APIPath.policy("pets")) == [.read, .submit, .admin].contains(scope))
            #expect(
                try await allowed(.get, APIPath.ensemble("pets")) == [.read, .submit, .node, .admin].contains(scope))
            #expect(
                try await allowed(.get, APIPath.decisions("pets")) == [.read, .submit, .audit, .admin].contains(scope))
            #expect(try await allowed(.get, APIPath.policies("pets")) == [.read, .admin].contains(scope))
            #expect(try await allowed(.put, APIPath.policy("pets")) == [.admin].contains(scope))
            #expect(try await allowed(.get, APIPath.championRows("pets")) == [.audit, .admin].contains(scope))
            #expect(try await allowed(.get, APIPath.tokens) == [.admin].contains(scope))
            #expect(try await allowed(.post, APIPath.approve(1)) == [.admin].contains(scope))
            #expect(try await allowed(.post, APIPath.reject(1)) == [.admin].contains(scope))

            let revoked = try await registry.send(.delete, APIPath.token(created.token.id))
            #expect(revoked.status == .noContent)
            #expect(try await registry.send(.get, APIPath.ensembles, token: token).problem == .unauthenticated)
        }
    }

    @Test func labelsAreNeverGiven() async throws {
        try await RegistryHarness.with { registry in
            let task = try SimulatedTask(rowCount: 200)
            _ = try await registry.create("pets", task)
            let rows = try await registry.send(.get, APIPath.rows("pets"))
            let lines = String(buffer: rows.body).split(separator: "\n")
            #expect(lines.count == 201)
            #expect(lines[0] == "id,group")
            #expect(lines[1] == "r0000,g0000")
            #expect(task.validation.classes.allSatisfy { !String(buffer: rows.body).contains($0) })
        }
    }

    @Test(arguments: [
        ("{}", "'name' is missing"), ("[", "not valid JSON"), (#"{"name":"a b","scopes":["read"]}"#, "no token name"),
        (#"{"name":"a","scopes":[]}"#, "at least one scope"), (#"{"name":"a","scopes":["root"]}"#, "wrong value"),
    ])
    func badTokenRequestsAreExplained(body: String, explanation: String) async throws {
        try await RegistryHarness.with { registry in
            let answer = try await registry.send(.post, APIPath.tokens, body: body)
            #expect(answer.status == .badRequest)
            #expect(try answer.decoded(as: Problem.self).detail.contains(explanation))
        }
    }
}

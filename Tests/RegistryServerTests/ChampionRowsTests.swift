import EnsembleModel
import Foundation
import HTTPTypes
import HummingbirdTesting
import NIOCore
import RegistryAPI
import RegistryTesting
import Testing

@testable import RegistryServer

/// Labels and per-row figures reach auditors, and nobody else.
@Suite struct ChampionRowsTests {
    @Test func auditorsReadTheRowsLineByLine() async throws {
        var limits = DaemonLimits()
        limits.championRowsInLine = 64
        try await RegistryHarness.with(limits: limits) { registry in
            let task = try SimulatedTask(rowCount: 400)
            _ = try await registry.create("pets", task, policy: #"{"preset":"small","admission":"shapley-top-k"}"#)
            let path = APIPath.championRows("pets")
            #expect(try await registry.send(.get, path).problem == .notFounded)
            #expect(try await registry.send(.get, APIPath.championRows("none")).problem == .ensembleNotFound)
            for skill in [1.5, 3] {
                let predictions = try task.predictions(skill: skill, seed: UInt64(skill * 10))
                _ = try await registry.submit("m\(Int(skill * 10))@1", to: "pets", task, predictions)
            }
            _ = try await registry.send(.post, APIPath.found("pets"))
            try await registry.settle()
            let founded: EnsembleRecord = try await registry.send(.get, APIPath.ensemble("pets")).decoded()
            try #require(!founded.members.isEmpty)
            for scope in [Scope.read, .submit, .node] {
                let refused = try await registry.send(.get, path, token: registry.token("nosy", [scope]))
                #expect(refused.problem == .forbidden)
                #expect(try refused.decoded(as: Problem.self).detail.contains("lacks the scope audit"))
            }
            let answer = try await registry.send(.get, path, token: registry.token("ada", [.audit]))
            try #require(answer.status == .ok, "\(String(buffer: answer.body))")
            #expect(answer.headers[.cacheControl] == "no-store")
            let lines = String(buffer: answer.body).split(separator: "\n").map { Data($0.utf8) }
            #expect(lines.count == 1 + 7)
            let header = try APIJSON.decoder().decode(ChampionRowsHeader.self, from: #require(lines.first))
            #expect(header.validation == task.validation.digest && header.rowCount == 400)
            #expect(header.policy.admission == .shapleyTopK && header.classes == task.validation.classes)
            let chunks = try lines.dropFirst().map { try APIJSON.decoder().decode(ChampionRowsChunk.self, from: $0) }
            #expect(chunks.map(\.ids.count) == [64, 64, 64, 64, 64, 64, 16])
            #expect(chunks.flatMap(\.ids) == task.validation.rowIDs)
            #expect(chunks.flatMap(\.labels) == task.validation.labels)
            let members = try header.members.map { member in
                let skill = member.name == "m15" ? 1.5 : 3
                return try task.predictions(skill: skill, seed: UInt64(skill * 10))
            }
            let expected = members[0].values.indices.map { index in
                Float(members.reduce(0) { $0 + Double($1.values[index]) } / Double(members.count))
            }
            #expect(chunks.flatMap(\.probabilities) == expected)
            let readings = try await Psql.run(
                "SELECT actor, subject FROM audit_event WHERE action = 'rows.read_labelled'", on: registry.database)
            #expect(readings == "ada|ensemble pets")
        }
    }
}

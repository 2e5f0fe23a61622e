import EnsembleModel
import Foundation
import HTTPTypes
import HummingbirdTesting
import RegistryAPI
import RegistryStore
import RegistryTesting
import Testing

/// The routes of policies, and what a policy does to submissions: with a real worker and a real publication.
@Suite struct PolicyTests {
    private static func body(_ policy: String, reason: String = "") -> String {
        #"{"policy":\#(policy),"reason":"\#(reason)"}"#
    }

    @Test func aPolicyIsSetShownAndListed() async throws {
        try await RegistryHarness.with { registry in
            _ = try await registry.create("pets", SimulatedTask(rowCount: 200))
            let stricter = Self.body(#"{"gate":{"alpha":0.05}}"#, reason: "too many submitters")
            let set = try await registry.send(.put, APIPath.policy("pets"), body: stricter)
            #expect(set.status == .created)
            let record: PolicyRecord = try set.decoded()
            #expect((record.version, record.createdBy, record.reason) == (2, "tester", "too many submitters"))
            #expect(record.changes == [PolicyChange(name: "gate.alpha", before: "0.1", after: "0.05")])
            let again = try await registry.send(.put, APIPath.policy("pets"), body: stricter)
            #expect(again.status == .ok)
            #expect(try again.decoded(as: PolicyRecord.self) == record)
            #expect(try await registry.send(.get, APIPath.policy("pets")).decoded(as: PolicyRecord.self) == record)
            let first: PolicyRecord = try await registry.send(.get, APIPath.policy("pets") + "?version=1").decoded()
            #expect(first.policy == Policy())
            let history: Page<PolicyRecord> = try await registry.send(
                .get, APIPath.policies("pets") + "?limit=1"
            ).decoded()
            #expect(history.items == [record] && history.next == "2")
            let rest: Page<PolicyRecord> = try await registry.send(
                .get, APIPath.policies("pets") + "?after=2"
            ).decoded()
            #expect(rest.items == [first] && rest.next == nil)
            let ensemble: EnsembleRecord = try await registry.send(.get, APIPath.ensemble("pets")).decoded()
            #expect((ensemble.policy.gate.alpha, ensemble.policyVersion, ensemble.ledger.testsLeft) == (0.05, 2, 100))
        }
    }

    @Test func whatCannotBeSetIsRefusedWithTheReason() async throws {
        try await RegistryHarness.with { registry in
            let task = try SimulatedTask(rowCount: 200)
            _ = try await registry.create("pets", task)
            let path = APIPath.policy("pets")
            for (body, hint) in [
                (Self.body(#"{"gates":{}}"#), "gates"), (Self.body(#"{"gate":{"alpha":2}}"#), "gate.alpha"),
                (Self.body(#"{"gate":{"alpha":"x"}}"#), "gate.alpha"), ("{}", "policy"), ("nonsense", "JSON"),
                (Self.body(#"{"columns":"all"}"#), "columns"),
            ] {
                let answer = try await registry.send(.put, path, body: body)
                #expect(answer.problem == .invalidPolicy, "\(body)")
                #expect(try answer.decoded(as: Problem.self).detail.contains(hint), "\(body)")
            }
            let long = Self.body("{}", reason: String(repeating: "x", count: 2_001))
            #expect(try await registry.send(.put, path, body: long).problem == .badRequest)
            #expect(try await registry.send(.get, path + "?version=0").problem == .badRequest)
            #expect(try await registry.send(.get, path + "?version=2").problem == .notFound)
            #expect(
                try await registry.send(.put, APIPath.policy("cats"), body: Self.body("{}")).problem
                    == .ensembleNotFound)

            // Every row a group of its own: no labels with groups, no columns of groups.
            let labels = task.labelsCSV.split(separator: "\n").map {
                $0.split(separator: ",").prefix(2).joined(separator: ",")
            }
            .joined(separator: "\n")
            let classes = task.validation.classes.map { "class=\($0)" }.joined(separator: "&")
            let grouped = #"{"columns":"probability+group"}"#
            let query = grouped.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
            let single = "\(APIPath.ensemble("single"))?\(classes)"
            let created = try await registry.send(.put, single + "&policy=\(query)", body: labels)
            #expect(try await registry.send(.put, single, body: labels).status == .created)
            let set = try await registry.send(.put, APIPath.policy("single"), body: Self.body(grouped))
            for answer in [created, set] {
                #expect(answer.problem == .invalidPolicy)
                #expect(try answer.decoded(as: Problem.self).detail.contains("single row"))
            }
            #expect(try await registry.send(.put, path, body: Self.body(grouped)).status == .created)
        }
    }

    /// The first submission founds; a founding by request is refused.
    @Test func theFirstGoodSubmissionFounds() async throws {
        try await RegistryHarness.with { registry in
            let task = try SimulatedTask(rowCount: 400)
            _ = try await registry.create("pets", task, policy: #"{"founding":"first","preset":"small"}"#)
            let refused = try await registry.send(.post, APIPath.found("pets"))
            #expect(refused.problem == .conflict)
            #expect(try refused.decoded(as: Problem.self).detail.contains("founding: first"))

            let noise: SubmissionRecord = try await registry.submit(
                "noise@1", to: "pets", task, task.predictions(skill: 0, seed: 3)
            ).decoded()
            #expect(noise.state == .queued)
            let fair: SubmissionRecord = try await registry.submit(
                "fair@1", to: "pets", task, task.predictions(skill: 0.8, seed: 80)
            ).decoded()
            try await registry.settle()
            #expect(try await registry.decision(of: noise).verdict == .rejectNoGain)
            let founding = try await registry.decision(of: fair)
            #expect((founding.verdict, founding.kind, founding.sequence) == (.admit, .admission, 1))
            #expect(founding.membersBefore == [] && founding.membersAfter.map(\.description) == ["fair@1"])

            let good: SubmissionRecord = try await registry.submit(
                "good@1", to: "pets", task, task.predictions(skill: 3, seed: 7)
            ).decoded()
            try await registry.settle()
            #expect(try await registry.decision(of: good).verdict.isAdmission)
            let promotions: Page<PromotionRecord> = try await registry.send(.get, APIPath.promotions("pets")).decoded()
            #expect(promotions.items.map(\.kind).last == .founding && promotions.items.count == 2)
            #expect(promotions.items.allSatisfy { $0.admission == .gated })
            #expect(try await registry.send(.post, APIPath.found("pets")).problem == .alreadyFounded)
        }
    }

    /// One gate test for each submitter: their second version is held, somebody else's is judged.
    @Test func eachSubmitterHasTheirOwnQuota() async throws {
        try await RegistryHarness.with { registry in
            let task = try SimulatedTask(rowCount: 400)
            _ = try await registry.create(
                "pets", task,
                policy:
                    #"{"founding":"first","preset":"small","gate":{"tests_per_submitter":1},"budget":{"members":9}}"#)
            _ = try await registry.submit("fair@1", to: "pets", task, task.predictions(skill: 0.8, seed: 80))
            try await registry.settle()
            let ann = try await registry.store.createToken(name: "ann", scopes: [.submit], actor: "test").secret
            let bob = try await registry.store.createToken(name: "bob", scopes: [.submit], actor: "test").secret
            func submit(_ model: String, seed: UInt64, by token: String) async throws -> TestResponse {
                let predictions = try task.predictions(skill: 3, seed: seed)
                return try await registry.submit(model, to: "pets", task, predictions, token: token)
            }
            func judge(_ model: String, seed: UInt64, by token: String) async throws -> DecisionRecord {
                let record: SubmissionRecord = try await submit(model, seed: seed, by: token).decoded()
                try await registry.settle()
                return try await registry.decision(of: record)
            }
            #expect(try await judge("a@1", seed: 7, by: ann).verdict.isAdmission)
            let held = try await judge("a@2", seed: 8, by: ann)
            #expect(held.verdict == .holdQuota)
            #expect(held.reason.contains("ann has spent the 1 gate test"))
            #expect(!(try await judge("b@1", seed: 9, by: bob).verdict.isHold))
            var ensemble: EnsembleRecord = try await registry.send(.get, APIPath.ensemble("pets")).decoded()
            #expect(ensemble.ledger.submitterTests == ["ann": 1, "bob": 1])
            #expect((ensemble.ledger.tests, ensemble.ledger.testsLeft) == (2, 98))

            // The same again is held again, until the policy gives her another test.
            let again = try await submit("a@2", seed: 8, by: ann)
            #expect(again.status == .accepted)
            #expect(try again.decoded(as: SubmissionRecord.self).holdCount == 1)
            try await registry.settle()
            let policy =
                #"{"founding":"first","preset":"small","gate":{"tests_per_submitter":2},"budget":{"members":9}}"#
            _ = try await registry.send(.put, APIPath.policy("pets"), body: Self.body(policy))
            let last: SubmissionRecord = try await submit("a@2", seed: 8, by: ann).decoded()
            #expect(last.holdCount == 2 && last.state == .queued)
            try await registry.settle()
            let judged = try await registry.decision(of: last)
            #expect(!judged.verdict.isHold && judged.policyVersion == 2)
            #expect(try await submit("a@2", seed: 8, by: ann).status == .ok)
            ensemble = try await registry.send(.get, APIPath.ensemble("pets")).decoded()
            #expect(ensemble.ledger.submitterTests == ["ann": 2, "bob": 1])
        }
    }

    /// Changed columns apply to what is queued, on both sides of the comparison.
    @Test func changedColumnsAndPresetApplyToTheNextEvaluation() async throws {
        try await RegistryHarness.with { registry in
            let task = try SimulatedTask(rowCount: 400)
            _ = try await registry.create("pets", task, policy: #"{"founding":"first","preset":"small"}"#)
            _ = try await registry.submit("fair@1", to: "pets", task, task.predictions(skill: 0.8, seed: 80))
            try await registry.settle()
            let good: SubmissionRecord = try await registry.submit(
                "good@1", to: "pets", task, task.predictions(skill: 3, seed: 7)
            ).decoded()
            let policy = #"{"founding":"first","preset":"standard","columns":"probability+group"}"#
            #expect(try await registry.send(.put, APIPath.policy("pets"), body: Self.body(policy)).status == .created)
            try await registry.settle()
            let decision = try await registry.decision(of: good)
            #expect((decision.policyVersion, decision.preset) == (2, .standard))
            #expect(decision.verdict.isAdmission)
            let evidence: Evidence = try await registry.send(.get, APIPath.evidence(decision.id)).decoded()
            #expect(evidence.policy.columns == .probabilityAndGroup)
            #expect(evidence.foldModels.count == 5)
        }
    }
}

import EnsembleModel
import HTTPTypes
import HummingbirdTesting
import NIOCore
import RegistryAPI
import RegistryTesting
import Testing

/// A new validation set over the API, with real evaluations before and after it.
@Suite struct EpochTests {
    @Test func decisionsOfEveryEpochStandAndReplay() async throws {
        try await RegistryHarness.with { registry in
            let first = try SimulatedTask(rowCount: 600)
            // Other labels of more rows, the first 600 of them known: what was spent on them stays spent.
            let second = try SimulatedTask(rowCount: 700, seed: 2)
            let skills = ["weak@1": 0.4, "fair@1": 0.8, "good@1": 3]
            func submit(_ model: String, _ task: SimulatedTask, skill: Double? = nil) async throws -> SubmissionRecord {
                let skill = skill ?? skills[model, default: 0]
                let predictions = try task.predictions(skill: skill, seed: UInt64(skill * 100) + 1)
                let record: SubmissionRecord = try await registry.submit(model, to: "pets", task, predictions).decoded()
                try await registry.settle()
                return try await registry.send(.get, APIPath.submission(record.id)).decoded()
            }
            func start(_ task: SimulatedTask, token: String? = nil) async throws -> TestResponse {
                try await registry.send(.post, APIPath.epochs("pets"), body: task.labelsCSV, token: token)
            }
            _ = try await registry.create("pets", first, policy: #"{"preset":"standard","budget":{"members":3}}"#)
            for model in ["weak@1", "fair@1"] { _ = try await submit(model, first) }
            _ = try await registry.send(.post, APIPath.found("pets"))
            try await registry.settle()
            let admitted = try await registry.decision(of: submit("good@1", first))
            #expect(admitted.verdict == .admit)

            let submitter = try await registry.token("sam", [.read, .submit, .audit, .node])
            #expect(try await start(second, token: submitter).problem == .forbidden)
            let response = try await start(second)
            #expect(response.status == .created)
            let begun: EnsembleRecord = try response.decoded()
            #expect(begun.epoch.number == 2 && begun.epoch.rowCount == 700 && begun.epoch.sharesWith == [1])
            #expect(begun.ledger.tests == 1 && begun.missingMembers == begun.members && begun.members.count == 3)
            #expect(try await start(second).status == .ok)
            #expect(try await start(first).problem == .conflict)
            let rows = try await registry.send(.get, APIPath.rows("pets"))
            #expect(String(buffer: rows.body).split(separator: "\n").count == 701)
            let manifest: Manifest = try await registry.send(.get, APIPath.manifest("pets")).decoded()
            #expect(manifest.sequence == 2, "the champion serves on")

            #expect(try await submit("late@1", second, skill: 2.5).state == .candidate)
            for member in begun.members.reversed() {
                #expect(try await submit(member.description, second).state == .candidate)
            }
            let page: Page<SubmissionRecord> = try await registry.send(.get, APIPath.submissions("pets")).decoded()
            let late = try #require(page.items.first { $0.model.name == "late" })
            let judged = try await registry.decision(of: late)
            let evidence: Evidence = try await registry.send(.get, APIPath.evidence(judged.id)).decoded()
            #expect(evidence.validation == begun.epoch.validation && evidence.rowCount == 700)
            #expect(evidence.membersBefore == begun.members && evidence.ledgerBefore.tests == 1)

            let decisions: Page<DecisionRecord> = try await registry.send(.get, APIPath.decisions("pets")).decoded()
            #expect(decisions.items.count == 3)
            for decision in decisions.items {
                let queued: EvaluationRecord =
                    try await registry.send(.post, APIPath.replay(decision: decision.id)).decoded()
                try await registry.settle()
                let replay: ReplayRecord =
                    try await registry.send(.get, APIPath.replay(evaluation: queued.id)).decoded()
                #expect(replay.identical, "\(replay.differences)")
            }
        }
    }

    /// What is registered cannot be declared later: a budget of another day must not keep a member from coming again.
    @Test func membersComeAgainUnderABudgetTheyDeclaredNothingFor() async throws {
        try await RegistryHarness.with { registry in
            let (first, second) = (try SimulatedTask(rowCount: 600), try SimulatedTask(rowCount: 700, seed: 2))
            _ = try await registry.create("pets", first, policy: #"{"preset":"standard"}"#)
            _ = try await registry.submit("m@1", to: "pets", first, first.predictions(skill: 3, seed: 1))
            _ = try await registry.send(.post, APIPath.found("pets"))
            try await registry.settle()
            let founded: EnsembleRecord = try await registry.send(.get, APIPath.ensemble("pets")).decoded()
            #expect(founded.members.map(\.description) == ["m@1"])
            let policy = #"{"policy":{"preset":"standard","budget":{"latency_ms":5}}}"#
            #expect(try await registry.send(.put, APIPath.policy("pets"), body: policy).status == .created)
            #expect(
                try await registry.send(.post, APIPath.epochs("pets"), body: second.labelsCSV).status == .created)
            let predictions = try second.predictions(skill: 2, seed: 2)
            #expect(try await registry.submit("x@1", to: "pets", second, predictions).problem == .invalidUpload)
            #expect(try await registry.submit("m@1", to: "pets", second, predictions).status == .accepted)
        }
    }

    @Test func aChampionIsGivenUpOnlyWhenThatIsMeant() async throws {
        try await RegistryHarness.with { registry in
            let (first, second) = (try SimulatedTask(rowCount: 300), try SimulatedTask(rowCount: 300, seed: 2))
            _ = try await registry.create("pets", first, policy: #"{"preset":"standard"}"#)
            _ = try await registry.submit("gone@1", to: "pets", first, first.predictions(skill: 2, seed: 1))
            _ = try await registry.send(.post, APIPath.found("pets"))
            try await registry.settle()
            _ = try await registry.send(.post, APIPath.epochs("pets"), body: second.labelsCSV)
            _ = try await registry.submit("new@1", to: "pets", second, second.predictions(skill: 2, seed: 2))
            let refused: Problem = try await registry.send(.post, APIPath.found("pets")).decoded()
            #expect(refused.code == .alreadyFounded && refused.detail.contains("gone@1"), "\(refused.detail)")
            let unclear = try await registry.send(.post, APIPath.found("pets") + "?replace=perhaps")
            #expect(unclear.problem == .badRequest)
            #expect(try await registry.send(.post, APIPath.found("pets") + "?replace=true").status == .accepted)
            try await registry.settle()
            let record: EnsembleRecord = try await registry.send(.get, APIPath.ensemble("pets")).decoded()
            #expect(record.members.map(\.description) == ["new@1"] && record.missingMembers == [])
        }
    }

    @Test func rowsThatCannotBeJudgedAreRefused() async throws {
        try await RegistryHarness.with { registry in
            let task = try SimulatedTask(rowCount: 60)
            let policy = #"{"columns":"probability+group"}"#
            _ = try await registry.create("pets", task, policy: policy)
            func start(_ labels: String) async throws -> TestResponse {
                try await registry.send(.post, APIPath.epochs("pets"), body: labels)
            }
            let alone = "id,label\n" + (0..<60).map { "x\($0),\(["cat", "dog", "owl"][$0 % 3])\n" }.joined()
            let ungrouped = try await start(alone)
            #expect(ungrouped.status == .unprocessableContent && ungrouped.problem == .invalidPolicy)
            #expect(try await start("id,label\nx,cow\n").problem == .invalidUpload)
            #expect(try await registry.send(.post, APIPath.epochs("none"), body: alone).problem == .ensembleNotFound)
            let record: EnsembleRecord = try await registry.send(.get, APIPath.ensemble("pets")).decoded()
            #expect(record.epoch.number == 1)
        }
    }
}

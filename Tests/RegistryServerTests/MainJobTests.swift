import Boosting
import EnsembleModel
import Forest
import Foundation
import HTTPTypes
import HummingbirdTesting
import NIOCore
import RegistryAPI
import RegistryTesting
import Testing

/// The way of a submission through the API, with a real worker and a real publication.
@Suite struct MainJobTests {
    @Test func foundsThenAdmitsThenPublishes() async throws {
        try await RegistryHarness.with { registry in
            let task = try SimulatedTask(rowCount: 400)
            let created = try await registry.create("pets", task, policy: #"{"budget":{"members":3}}"#)
            #expect(created.status == .created)
            #expect(try await registry.create("pets", task, policy: #"{"budget":{"members":3}}"#).status == .ok)

            for (model, skill) in [("weak@1", 0.4), ("fair@1", 0.8)] {
                let answer = try await registry.submit(
                    model, to: "pets", task, task.predictions(skill: skill, seed: UInt64(skill * 100)))
                #expect(answer.status == .accepted)
                #expect(try answer.decoded(as: SubmissionRecord.self).state == .candidate)
            }
            #expect(try await registry.send(.get, APIPath.manifest("pets")).problem == .notFounded)

            let founding = try await registry.send(.post, APIPath.found("pets"))
            #expect(founding.status == .accepted)
            try await registry.settle()
            let evaluation: EvaluationRecord = try await registry.send(
                .get, APIPath.evaluation(founding.decoded(as: EvaluationRecord.self).id)
            ).decoded()
            #expect(evaluation.state == .decided)
            #expect(try await registry.send(.post, APIPath.found("pets")).problem == .alreadyFounded)

            let predictions = try task.predictions(skill: 3, seed: 7)
            let submitted: SubmissionRecord = try await registry.submit("good@1", to: "pets", task, predictions)
                .decoded()
            #expect(submitted.state == .queued)
            try await registry.settle()
            let decided: SubmissionRecord = try await registry.send(.get, APIPath.submission(submitted.id)).decoded()
            #expect(decided.state == .decided)
            let decision: DecisionRecord = try await registry.send(
                .get, APIPath.decision(#require(decided.evaluation?.decision))
            ).decoded()
            #expect(decision.verdict.isAdmission)
            #expect(decision.membersAfter.contains(try ModelVersionID("good@1")))
            #expect(Set(decision.metrics.map(\.subject)) == [.model, .average, .classPrior, .champion, .ensemble])
            #expect(Set(decision.utilities.map(\.kind)) == Set(UtilityKind.allCases))

            try await checkManifest(registry, decision)
            try await checkEvidence(registry, decision)
            let promotions: Page<PromotionRecord> = try await registry.send(.get, APIPath.promotions("pets")).decoded()
            #expect(promotions.items.map(\.sequence) == [2, 1])
            #expect(promotions.items.last?.kind == .founding)

            // The same again is no new submission and no new evaluation.
            let again = try await registry.submit("good@1", to: "pets", task, predictions)
            #expect(again.status == .ok)
            #expect(try again.decoded(as: SubmissionRecord.self).id == submitted.id)
        }
    }

    private func checkManifest(_ registry: RegistryHarness, _ decision: DecisionRecord) async throws {
        let answer = try await registry.send(.get, APIPath.manifest("pets"))
        let bytes = Array(answer.body.readableBytesView)
        let digest = ContentDigest.of(bytes)
        #expect(answer.headers[.eTag] == "\"\(digest)\"")
        let manifest = try JSONDecoder().decode(Manifest.self, from: Data(bytes))
        #expect(try manifest.canonicalBytes() == bytes)
        #expect(manifest.sequence == decision.sequence)
        #expect(manifest.members.map { "\($0.model)@\($0.version)" } == decision.membersAfter.map(\.description))

        let known: HTTPFields = [.ifNoneMatch: "\"\(digest)\""]
        #expect(try await registry.send(.get, APIPath.manifest("pets"), headers: known).status == .notModified)
        let old = try await registry.send(.get, APIPath.manifest("pets", sequence: 1))
        #expect(manifest.previousSHA256 == ContentDigest.of(Array(old.body.readableBytesView)))
        #expect(try await registry.send(.get, APIPath.manifest("pets", sequence: 3)).problem == .notFound)

        let text = try await registry.send(.get, APIPath.combiner(manifest.combiner.sha256))
        #expect(ContentDigest.of(Array(text.body.readableBytesView)) == manifest.combiner.sha256)
        let forest = try Forest(lightGBMText: Array(text.body.readableBytesView))
        let inputs = try #require(manifest.golden.inputValues)
        #expect(inputs.count == 4)
        #expect(inputs.map { forest.rawScores(rows: $0.map(Double.init)) } == manifest.golden.rawScoreValues)
    }

    private func checkEvidence(_ registry: RegistryHarness, _ decision: DecisionRecord) async throws {
        let evidence: Evidence = try await registry.send(.get, APIPath.evidence(decision.id)).decoded()
        #expect(try evidence.digest == decision.evidence)
        #expect(evidence.verdict == decision.verdict)
        #expect(evidence.metrics == decision.metrics)
    }

    @Test func aPolicyWithGroupColumnsIsTrainedAndPublished() async throws {
        try await RegistryHarness.with { registry in
            let task = try SimulatedTask(rowCount: 300)
            let policy = #"{"columns":"probability+group","preset":"standard","parsimony":0,"budget":{"members":2}}"#
            #expect(try await registry.create("pets", task, policy: policy).status == .created)
            for (model, skill) in [("weak@1", 0.6), ("fair@1", 0.8)] {
                _ = try await registry.submit(
                    model, to: "pets", task, task.predictions(skill: skill, seed: UInt64(skill * 100)))
            }
            _ = try await registry.send(.post, APIPath.found("pets"))
            try await registry.settle()

            let answer = try await registry.send(.get, APIPath.manifest("pets"))
            let manifest = try JSONDecoder().decode(Manifest.self, from: Data(answer.body.readableBytesView))
            #expect(manifest.columns == .probabilityAndGroup && manifest.members.map(\.model) == ["fair", "weak"])
            let text = try await registry.send(.get, APIPath.combiner(manifest.combiner.sha256))
            let inputs = try #require(manifest.golden.inputValues)
            let groups = try #require(manifest.golden.groups)
            #expect(groups == [0, 0, 1, 1])
            let members = [0, 3].map { first in inputs.flatMap { $0[first..<first + 3] } }
            let scores = try LightGBM.load().predict(
                text: Array(text.body.readableBytesView),
                rows: groupColumns(of: members, classCount: 3, groups: groups), raw: true)
            let golden = try #require(manifest.golden.rawScoreValues).flatMap { $0 }
            #expect(scores.count == golden.count)
            for (ours, theirs) in zip(golden, scores) { #expect(abs(ours - theirs) <= 1e-12) }
        }
    }

    @Test func aCopyOfAMemberIsRejectedAsDuplicate() async throws {
        try await RegistryHarness.with { registry in
            let task = try SimulatedTask(rowCount: 300)
            _ = try await registry.create("pets", task)
            let predictions = try task.predictions(skill: 1, seed: 5)
            _ = try await registry.submit("one@1", to: "pets", task, predictions)
            _ = try await registry.send(.post, APIPath.found("pets"))
            try await registry.settle()
            let copy: SubmissionRecord = try await registry.submit("copy@1", to: "pets", task, predictions).decoded()
            try await registry.settle()
            let decided: SubmissionRecord = try await registry.send(.get, APIPath.submission(copy.id)).decoded()
            let decision: DecisionRecord = try await registry.send(
                .get, APIPath.decision(#require(decided.evaluation?.decision))
            ).decoded()
            #expect(decision.verdict == .rejectDuplicate)
            #expect(decision.reason.contains("one@1"))
            #expect(decision.sequence == nil)
        }
    }

    @Test func foundingNeedsCandidates() async throws {
        try await RegistryHarness.with { registry in
            _ = try await registry.create("pets", SimulatedTask(rowCount: 200))
            #expect(try await registry.send(.post, APIPath.found("pets")).problem == .noCandidates)
            #expect(try await registry.send(.post, APIPath.found("cats")).problem == .ensembleNotFound)
        }
    }
}

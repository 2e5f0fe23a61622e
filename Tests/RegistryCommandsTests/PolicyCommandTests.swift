import EnsembleModel
import Foundation
import RegistryAPI
import Testing

@testable import RegistryCommands

/// `registry ensembles policy`, against a registry with prepared answers.
struct PolicyCommandTests {
    private static let policy = Policy(
        admission: .gated, founding: .first, columns: .probabilityAndGroup, parsimony: 0.1 + 0.2,
        budget: Budget(members: 4, latencyMilliseconds: 12.5, latencyRule: .total, costUSDPer10k: 1e-7),
        gate: .init(alpha: 1e-5, testsPerEpoch: 7, testsPerSubmitter: 2))

    private static func record(_ policy: Policy, version: Int = 2, reason: String = "") -> PolicyRecord {
        PolicyRecord(
            ensemble: "e", version: version, policy: policy,
            changes: version == 1 ? [] : [PolicyChange(name: "gate.tests_per_submitter", before: nil, after: "2")],
            reason: reason, createdAt: Fixture.date, createdBy: "ann")
    }

    @Test func whatIsShownCanBeSetAgain() async throws {
        try await CannedRegistry.with { seen, _ in
            try .json(Self.record(Self.policy, reason: "less\nnoise"), status: seen.method == "PUT" ? 201 : 200)
        } _: { registry in
            let shown = await Transcript.run(
                ["ensembles", "policy", "show", "e", "--version", "2"], registry: registry)
            #expect(shown.status == 0)
            #expect(
                shown.output.hasPrefix(
                    """
                    # version 2 of e's policy, 2026-01-01 12:34 UTC by ann
                    # less\u{FFFD}noise
                    admission: gated
                    approval: none
                    budget:
                      cost_usd_per_10k: 1e-07
                      latency_ms: 12.5
                      latency_rule: total
                      members: 4
                    columns: probability+group
                    cool_down: 5
                    founding: first
                    gate:
                      alpha: 1e-05

                    """))
            #expect(try PolicyFile.parse(shown.output, name: "shown") == Self.policy)
            try await withScratchFolder { folder in
                let file = folder.appending(path: "policy.yaml")
                try shown.output.write(to: file, atomically: true, encoding: .utf8)
                let set = await Transcript.run(
                    ["ensembles", "policy", "set", "e", "--file", file.path, "--reason", "why not"], registry: registry)
                #expect(set.status == 0)
                #expect(set.output == "Version 2 is in force: gate.tests_per_submitter unset -> 2.\n")
            }
            #expect(
                registry.seen.map(\.target) == ["/api/v1/ensembles/e/policy?version=2", "/api/v1/ensembles/e/policy"])
            let sent = try APIJSON.decoder().decode(SetPolicyRequest.self, from: Data(registry.seen[1].body))
            #expect(sent == SetPolicyRequest(policy: Self.policy, reason: "why not"))
        }
    }

    @Test func theDefaultCanBeReadFromItsYAML() throws {
        #expect(try PolicyFile.parse(Policy().yaml(), name: "p") == Policy())
        #expect(try Policy().changes(from: Policy()) == [])
    }

    @Test func settingTheSameSaysSo() async throws {
        try await withScratchFolder { folder in
            let file = folder.appending(path: "policy.yaml")
            try "{}".write(to: file, atomically: true, encoding: .utf8)
            try await CannedRegistry.with { _, _ in
                try .json(Self.record(Policy()))
            } _: { registry in
                let run = await Transcript.run(
                    ["ensembles", "policy", "set", "e", "--file", file.path], registry: registry)
                #expect(run.status == 0)
                #expect(run.output == "It is version 2 already; nothing was changed.\n")
            }
        }
    }

    @Test func theHistoryTellsWhoWhatAndWhy() async throws {
        try await CannedRegistry.with { _, _ in
            try .json(
                Page(
                    items: [Self.record(Self.policy, reason: "noise"), Self.record(Policy(), version: 1)], next: nil))
        } _: { registry in
            let run = await Transcript.run(["ensembles", "policy", "history", "e"], registry: registry)
            #expect(
                run.output == """
                    version  when (UTC)        by   changes                              reason
                          2  2026-01-01 12:34  ann  gate.tests_per_submitter unset -> 2  noise
                          1  2026-01-01 12:34  ann  -                                    -

                    """)
        }
    }

    @Test func anEnsembleTellsItsLedger() throws {
        let ledger = Ledger(
            tests: 3, alphaSpent: 0.003, submitterTests: ["bob": 1, "ann": 2], evaluations: 4,
            coolDowns: ["old": 6, "older": 4])
        let text = EnsembleText.full(try Fixture.ensemble(ledger: ledger))
        #expect(text.contains("gate tests      97 left, 3 made; alpha 0.0030 of 0.1000 spent\n"))
        #expect(text.contains("spent by        ann 2, bob 1\n"))
        #expect(text.contains("cooling down    old 3 evaluations, older 1 evaluation\n"))
        #expect(!EnsembleText.full(try Fixture.ensemble()).contains("spent by"))
    }

    @Test func whatKeepsNewcomersOutIsTold() throws {
        var ensemble = try Fixture.ensemble(ledger: Ledger(tests: 100, alphaSpent: 0.1))
        ensemble.members = try (0..<9).map { try ModelVersionID("m\($0)@1") }
        let text = EnsembleText.full(ensemble)
        for words in ["of 2 groups about three quarters", "no gate test is left", "the champion has 9 members"] {
            #expect(text.contains("\ncaution         \(words)"), "\(text)")
        }
        ensemble.policy.admission = .shapleyTopK
        ensemble.policy.budget.members = 9
        #expect(!EnsembleText.full(ensemble).contains("caution"))
    }

    @Test func aCandidateIsToldWhatItWaitsFor() throws {
        func words(_ model: String, epoch: Int = 1, in ensemble: EnsembleRecord) throws -> (String, ExitStatus) {
            let submission = try Fixture.submission(model, epoch: epoch)
            let candidacy = Candidacy(submission, in: ensemble)
            return (SubmissionText.of(submission, candidacy), candidacy.exitStatus)
        }
        var ensemble = try Fixture.ensemble()
        let member = try ModelVersionID("a@1")
        (ensemble.sequence, ensemble.members) = (1, [member])
        var told = try words("new@1", in: ensemble)
        #expect(told.0.contains("not chosen at the founding, or has left since") && told.1 == .rejected)
        told = try words("new@1", epoch: 0, in: ensemble)
        #expect(told.0.contains("epoch 0 is over") && told.1 == .failed)
        told = try words(member.description, in: ensemble)
        #expect(told.0.hasSuffix("It is a member: newcomers are compared with these predictions.") && told.1 == .done)
        ensemble.missingMembers = [member]
        told = try words("new@1", in: ensemble)
        #expect(told.0.contains("Kept as a candidate. Missing: \(member): newcomers wait") && told.1 == .held)
        #expect(EnsembleText.full(ensemble).contains("\nmissing         \(member): newcomers wait"))
        ensemble.sequence = 0
        told = try words("new@1", in: ensemble)
        #expect(told.0.contains("found the ensemble with `registry ensembles found") && told.1 == .held)
        ensemble.epoch.sharesWith = [1, 3]
        #expect(EnsembleText.full(ensemble).contains("\nshares rows     with epoch 1, epoch 3: what was spent"))
    }

    @Test func whatWasHeldBeforeIsTold() throws {
        let queued = try Fixture.submission(state: .queued, evaluation: Fixture.evaluation(state: .queued), holds: 2)
        #expect(SubmissionText.of(queued, nil).hasSuffix("\nQueued as evaluation 7. Held 2 times before."))
        let first = try Fixture.submission(state: .queued, evaluation: Fixture.evaluation(state: .queued))
        #expect(SubmissionText.of(first, nil).hasSuffix("\nQueued as evaluation 7."))
    }
}

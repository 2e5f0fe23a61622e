import EnsembleModel
import Foundation
import RegistryAPI
import Testing

@testable import RegistryCommands

/// What `registry decisions show` says of every kind of verdict, as checked in. `UPDATE_SNAPSHOTS=1` writes it anew.
struct DecisionTextTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "DecisionTexts")

    private static let isUpdating = ProcessInfo.processInfo.environment["UPDATE_SNAPSHOTS"] == "1"

    struct Example: Sendable, CustomTestStringConvertible {
        var name: String
        var report: DecisionReport
        var testDescription: String { name }

        init(_ name: String, _ report: DecisionReport) { (self.name, self.report) = (name, report) }
    }

    private static let gain = "0.0151 ± 0.0043 nats on open rows"

    private static func founded() throws -> [Example] {
        let kept = try Fixture.models("b", "new")
        return [
            Example(
                "founding",
                try Fixture.founding(
                    .admit,
                    "log-loss 0.4511 with 2 members: the smallest not told from the best (0.4502, 3 members) of 2 sets "
                        + "tried within the budget of 6 members; best single model new@1 0.5000", founded: kept)),
            Example(
                "founding-refused",
                try Fixture.founding(
                    .rejectNoGain, "log-loss 1.1002 is no better than the class prior's 1.0986", founded: [])),
            Example(
                "ranking-admit-retire",
                try Fixture.ranked(
                    .admitRetire,
                    "ranks 1st of 3 by shapley_abs (1.500) and fits the budget of 2 members; c@1 (0.500) leaves",
                    kept: ["new", "b"])),
            Example(
                "ranking-reject",
                try Fixture.ranked(
                    .rejectNoGain,
                    "ranks 3rd of 3 by shapley_abs (0.500); those ranked higher leave no room for it in the budget of "
                        + "2 members", kept: ["b", "c"])),
        ]
    }

    private static func admitted() throws -> [Example] {
        let small = Policy(budget: Budget(members: 2))
        let sealed = try Fixture.sealed()
        let obsolete = try Fixture.tested(
            .admitRetire, "a gain that holds on sealed rows (\(gain)); c@1 leaves, made obsolete by it",
            after: Fixture.models("b", "new"), sealed: sealed)
        var open = obsolete
        open.sealed = nil
        return [
            Example(
                "admit",
                try Fixture.tested(
                    .admit, "a gain that holds on sealed rows (\(gain))", after: Fixture.models("b", "c", "new")
                ) { evidence in
                    evidence.warnings = [
                        .init(
                            kind: .suspectedLeak,
                            message: "warning: new@1 errs on 1.0 % of rows, the next best on 12.0 %: have a person "
                                + "check whether it saw the labels"),
                        .init(
                            kind: .nearDuplicate, message: "nearly the same as b@1 (mean total variation 0.0050)"),
                    ]
                    evidence.closeness = [.init(model: try ModelVersionID("b@1"), meanTotalVariation: 0.005)]
                    evidence.segments = try Fixture.segments()
                }),
            Example(
                "admit-retire",
                try Fixture.tested(
                    .admitRetire,
                    "a gain that holds on sealed rows (\(gain)); to fit the budget of 2 members, c@1 leaves",
                    policy: small, after: Fixture.models("b", "new")
                ) { $0.search = try Fixture.search() }),
            Example("admit-obsolete", open),
            Example("admit-obsolete-sealed", obsolete),
        ]
    }

    private static func rejected() throws -> [Example] {
        let guarded = try Fixture.tested(
            .rejectGuardrail, "better over all (\(gain)), but worse on guardrail macro_f1",
            sealed: Fixture.sealed(refusing: .macroF1))
        var open = guarded
        open.sealed = nil
        return [
            Example(
                "reject-duplicate",
                try Fixture.report(.rejectDuplicate, "its predictions are those of member b@1") { evidence in
                    evidence.closeness = [.init(model: try ModelVersionID("b@1"), meanTotalVariation: 0)]
                }),
            Example(
                "reject-budget",
                try Fixture.report(.rejectBudget, "it does not fit the budget of 6 members, 2.0 ms a row even alone")),
            Example(
                "reject-open",
                try Fixture.report(
                    .rejectNoGain,
                    "it brings no gain: -0.0010 ± 0.0043 nats on open rows; no gate test was spent"
                ) { evidence in
                    evidence.screen = Comparison(gain: -0.001, standardError: 0.0043)
                    evidence.metrics[0].metrics.logLoss = 0.45
                    evidence.warnings = [
                        .init(
                            kind: .bestSingleIsBetter,
                            message: "warning: b@1 alone is no worse than the ensemble (log-loss 0.4500 against 0.4550)"
                        )
                    ]
                }),
            Example(
                "reject-gate", try Fixture.tested(.rejectNoGain, "its gain (\(gain)) did not hold on sealed rows")),
            Example("reject-guardrail", open),
            Example("reject-guardrail-sealed", guarded),
        ]
    }

    private static func held() throws -> [Example] {
        let quota = Policy(gate: Policy.Gate(testsPerSubmitter: 1))
        return [
            Example(
                "hold-cooldown",
                try Fixture.report(
                    .holdCooldown, "new was dropped and cools down for 3 evaluations more; submit it again then"
                ) { evidence in
                    evidence.metrics.removeAll { [.champion, .ensemble].contains($0.subject) }
                    evidence.utilities = []
                }),
            Example(
                "hold-quota",
                try Fixture.report(
                    .holdQuota, "sam has spent the 1 gate test that one submitter has in an epoch", policy: quota
                ) { $0.screen = Comparison(gain: 0.0151, standardError: 0.0043) }),
            Example(
                "hold-epoch",
                try Fixture.report(
                    .holdEpochExhausted,
                    "the epoch's 100 gate tests are spent; start a new epoch with fresh labelled rows"
                ) { evidence in
                    evidence.screen = Comparison(gain: 0.0151, standardError: 0.0043)
                    evidence.ledgerAfter = Ledger(tests: 100, alphaSpent: 0.1)
                }),
            Example(
                "hold-groups",
                try Fixture.report(
                    .holdTooFewGroups, "the validation set has 12 sealed groups; a test needs 30"
                ) { evidence in
                    evidence.screen = Comparison(gain: 0.0151, standardError: 0.0043)
                    evidence.split = .init(
                        openRows: 6, openGroups: 3, sealedRows: 24, sealedGroups: 12, searchedRows: 30)
                    (evidence.rowCount, evidence.groupCount) = (30, 15)
                }),
        ]
    }

    static let examples = Result { try founded() + admitted() + rejected() + held() }

    @Test func everyVerdictIsExplainedAsCheckedIn() throws {
        let examples = try Self.examples.get()
        #expect(Set(examples.map(\.report.decision.verdict)) == Set(Verdict.allCases))
        for example in examples {
            let file = Self.folder.appending(path: example.name + ".txt")
            let text = DecisionText.full(example.report)
            if Self.isUpdating {
                try FileManager.default.createDirectory(at: Self.folder, withIntermediateDirectories: true)
                try text.write(to: file, atomically: true, encoding: .utf8)
            }
            #expect(try String(contentsOf: file, encoding: .utf8) == text, "\(example)")
        }
        let files = try FileManager.default.contentsOfDirectory(atPath: Self.folder.path)
        #expect(Set(files) == Set(examples.map { $0.name + ".txt" }))
    }

    @Test func theSealedPartIsAskedForOnRequestOnlyAndChecked() async throws {
        let report = try Fixture.tested(.admit, "r", after: Fixture.models("b", "c", "new"), sealed: Fixture.sealed())
        let sealed = try #require(report.sealed)
        var forged = sealed
        forged.gate.championLoss = 0.47
        let (part, other) = (sealed, forged)
        try await CannedRegistry.with { seen, number in
            switch seen.target.split(separator: "/").last {
            case "evidence": try .json(report.evidence)
            // The last time it is asked for it is another.
            case "sealed-evidence": try .json(number < 13 ? part : other)
            default: try .json(report.decision)
            }
        } _: { registry in
            let show = ["decisions", "show", "9"]
            let plain = await Transcript.run(show, registry: registry)
            #expect(plain.status == 0 && plain.output.hasPrefix("new@1 joins e; nobody leaves.\nWhy: r.\n"))
            #expect(!plain.output.contains("For auditors"))
            let evidence = await Transcript.run(show + ["--evidence"], registry: registry)
            #expect(try decode(Evidence.self, evidence) == report.evidence)
            #expect(!registry.seen.contains { $0.target.contains("sealed") })

            let audited = await Transcript.run(show + ["--sealed"], registry: registry)
            #expect(audited.output == DecisionText.full(report))
            let both = try decode(
                DecisionParts.self, await Transcript.run(show + ["--evidence", "--sealed"], registry: registry))
            #expect(both.evidence == report.evidence && both.sealed == part && both.decision == nil)
            let json = try decode(
                DecisionParts.self, await Transcript.run(show + ["--json", "--sealed"], registry: registry))
            #expect(json.decision == report.decision && json.sealed == part && json.evidence == nil)

            let wrong = await Transcript.run(show + ["--sealed"], registry: registry)
            #expect(wrong.status == 1)
            #expect(wrong.errors.contains("the sealed evidence of decision 9 does not have the digest that binds it"))
        }
    }

    private func decode<Value: Decodable>(_ type: Value.Type, _ run: Transcript) throws -> Value {
        try APIJSON.decoder().decode(type, from: Data(run.output.utf8))
    }

    @Test func listingsMarkWarnings() async throws {
        let marked = try Fixture.report(.rejectNoGain, "no gain") { evidence in
            evidence.warnings = [.init(kind: .averageIsBetter, message: "warning: the average is no worse")]
        }.decision
        let plain = try Fixture.report(.rejectDuplicate, "a copy").decision
        try await CannedRegistry.with { _, _ in
            try .json(Page(items: [marked, plain], next: nil))
        } _: { registry in
            let run = await Transcript.run(["decisions", "list", "e"], registry: registry)
            let lines = run.output.split(separator: "\n")
            #expect(lines.first?.contains("warnings           reason") == true, "\(run.output)")
            #expect(lines[1].contains("average_is_better  no gain"))
            #expect(lines[2].contains("-                  a copy"))
        }
    }
}

import EnsembleModel
import Foundation
import RegistryAPI
import Simulation
import Testing

@testable import RegistryCommands

struct SimulateTests {
    private static let small = [
        "simulate", "--runs", "2", "--submissions", "20", "--groups", "60", "--rows-per-group", "5",
    ]

    @Test func printsATableOfRules() async throws {
        let played = await Transcript.run(Self.small + ["--truly-better", "4", "--rule", "naive,gated"])
        #expect(played.status == 0)
        let lines = played.output.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        #expect(lines.map(\.first) == ["rule", "naive", "gated"])
        #expect(played.output.components(separatedBy: "power at").count == 5)
        #expect(lines[1].filter { $0 == "-" }.count == 2)
        #expect(!lines[2].contains("-"))
        #expect(played.errors.contains("Gains are shares of the champion's loss"))
    }

    @Test func repeatsAndIsReadableByPrograms() async throws {
        let arguments = Self.small + ["--truly-better", "0", "--json"]
        let played = await Transcript.run(arguments)
        #expect(played.status == 0)
        #expect(played.errors == "")
        let reports = try JSONDecoder().decode([RuleReport].self, from: Data(played.output.utf8))
        #expect(reports.map(\.rule) == [.gated, .uninflated, .naive, .bootstrap, .topK])
        #expect(reports[2].falsePromotions > reports[0].falsePromotions)
        #expect(reports.allSatisfy { $0.runs == 2 && $0.falsePromotionsByRun.count == 2 })
        #expect(await Transcript.run(arguments).output == played.output)
        #expect(await Transcript.run(arguments + ["--seed", "2"]).output != played.output)
    }

    @Test func thePolicyIsPlayed() async throws {
        try await withScratchFolder { folder in
            let policy = folder.appending(path: "policy.yaml")
            try Data("gate: {tests_per_epoch: 1}\nbudget: {members: 2}".utf8).write(to: policy)
            let played = await Transcript.run(
                Self.small + ["--truly-better", "0", "--rule", "gated,top-k", "--policy", policy.path, "--json"])
            let reports = try JSONDecoder().decode([RuleReport].self, from: Data(played.output.utf8))
            #expect(reports[0].gateTests == 1)
            #expect(reports[0].held > 0)
            let free = await Transcript.run(Self.small + ["--truly-better", "0", "--rule", "top-k", "--json"])
            let wide = try JSONDecoder().decode([RuleReport].self, from: Data(free.output.utf8))
            #expect(wide[0].falsePromotions > reports[1].falsePromotions)
        }
    }

    static let wrong: [([String], String)] = [
        (
            ["--rule", "gated,best"],
            "There is no rule 'best'; the rules are: gated, gated-uninflated, naive, bootstrap, top-k."
        ),
        (["--rule", ","], "--rule names one rule or more."),
        (["--runs", "0"], "--runs must be between 1 and 10000."),
        (["--submissions", "10"], "20 truly better submissions need 25 or more in all, not 10"),
        (["--groups", "4"], "more groups"),
        (["--noise", "0"], "noise: 0.0 is not between"),
        (["--labels", "l.csv"], "Own rows need --labels, --predictions and --classes."),
        (["--true-gains", "1"], "--true-gains is of own rows"),
        (
            ["--ensemble", "e", "--labels", "l.csv", "--predictions", "p.csv", "--classes", "c.txt"],
            "--ensemble brings its own"
        ),
        (["--ensemble", "e", "--rows-per-group", "4"], "--ensemble brings its own"),
        (["--ensemble", "e", "--submissions", "10"], "20 truly better submissions need 25 or more in all, not 10"),
        (["--policy", "/nowhere.yaml"], "/nowhere.yaml"),
    ]

    @Test(arguments: wrong)
    func badInputIsExplained(_ arguments: [String], _ message: String) async {
        let wrong = await Transcript.run(["simulate"] + arguments)
        #expect(wrong.status == (arguments[0] == "--groups" ? 3 : 2))
        #expect(wrong.output == "")
        #expect(wrong.errors.contains(message), "\(wrong.errors)")
    }

    /// The split is that of the epoch, which may continue an earlier one's; a cut answer is not taken for the whole.
    @Test func playsOnTheRowsOfAnEnsemble() async throws {
        let rows = (0..<600).map { row in
            ValidationSet.Row(id: "r\(1000 + row)", label: row % 3 == 0 ? 0 : 1, group: "q\(row / 4)", slice: "all")
        }
        let validation = try ValidationSet(classes: ["yes", "no"], rows: rows)
        @Sendable func answer(salt: String, cut: Bool = false) throws -> CannedRegistry.Reply {
            let header = ChampionRowsHeader(
                ensemble: "e", epoch: 2, salt: salt, validation: validation.digest, rowCount: 600,
                classes: validation.classes, sequence: 4, members: [try ModelVersionID("a@1")],
                policy: Policy(gate: .init(testsPerEpoch: 3)))
            let chunks = stride(from: 0, to: cut ? 300 : 600, by: 100).map { start in
                let range = start..<start + 100
                return ChampionRowsChunk(
                    ids: Array(validation.rowIDs[range]), labels: Array(validation.labels[range]),
                    groups: validation.groups[range].map { validation.groupNames[$0] },
                    slices: range.map { _ in "all" },
                    probabilities: range.flatMap { row -> [Float?] in
                        row == 7 ? [nil, nil] : validation.labels[row] == 0 ? [0.4, 0.6] : [0.3, 0.7]
                    })
            }
            let lines = try [APIJSON.encoder().encode(header)] + chunks.map { try APIJSON.encoder().encode($0) }
            return CannedRegistry.Reply(body: lines.flatMap { Array($0) + [UInt8(ascii: "\n")] })
        }
        let command = [
            "simulate", "--ensemble", "e", "--runs", "2", "--submissions", "30", "--truly-better", "6", "--true-gains",
            "1,10", "--json",
        ]
        var outputs: [String] = []
        for salt in [validation.epochSalt, "of an earlier epoch"] {
            outputs += try await CannedRegistry.with { _, _ in
                try answer(salt: salt)
            } _: { registry in
                let played = await Transcript.run(command, registry: registry)
                #expect(played.status == 0, "\(played.errors)")
                #expect(registry.seen.map(\.target) == ["/api/v1/ensembles/e/champion-rows"])
                let reports = try JSONDecoder().decode([RuleReport].self, from: Data(played.output.utf8))
                #expect(reports.first?.gateTests == 3)
                return [played.output]
            }
        }
        #expect(outputs.count == 2 && outputs[0] != outputs[1])
        try await CannedRegistry.with { _, _ in
            try answer(salt: "s", cut: true)
        } _: { registry in
            let cut = await Transcript.run(command, registry: registry)
            #expect(cut.status == 1 && cut.errors.contains("the answer was cut or changed"), "\(cut.errors)")
        }
    }

    @Test func playsOnOwnRows() async throws {
        try await withScratchFolder { folder in
            func write(_ name: String, _ text: String) throws -> String {
                let file = folder.appending(path: name)
                try Data(text.utf8).write(to: file)
                return file.path
            }
            let rows = 0..<600
            func table(_ header: String, _ line: (Int) -> String) -> String {
                rows.reduce(header + "\n") { $0 + line($1) + "\n" }
            }
            let classes = try write("classes.txt", "yes\nno\n")
            let labels = try write(
                "labels.csv", table("id,label,group") { "r\($0),\($0 % 3 == 0 ? "yes" : "no"),q\($0 / 4)" })
            let champion = table("id,yes,no") { "r\($0)," + ($0 % 3 == 0 ? "0.4,0.6" : "0.3,0.7") }
            let options = [
                "simulate", "--labels", labels, "--predictions", try write("champion.csv", champion), "--classes",
                classes, "--runs", "2", "--submissions", "30", "--truly-better", "6", "--true-gains", "1,10",
            ]
            let played = await Transcript.run(options + ["--json"])
            #expect(played.status == 0, "\(played.errors)")
            let reports = try JSONDecoder().decode([RuleReport].self, from: Data(played.output.utf8))
            #expect(reports[2].falsePromotions > reports[0].falsePromotions)
            // Measured on other draws of few challengers, hence roughly.
            for (power, gain) in zip(reports[0].power, [0.01, 0.1]) { #expect(abs(power.trueGain - gain) < 0.04) }

            let word = await Transcript.run(options.dropLast() + ["1,much"])
            #expect(word.status == 2)
            #expect(word.errors.contains("'much' is not a number"))
            let both = await Transcript.run(options + ["--groups", "50"])
            #expect(both.status == 2)
            #expect(both.errors.contains("--labels brings its own"))
            _ = try write("champion.csv", champion.replacingOccurrences(of: "r0,0.4", with: "r0,0.5"))
            let refused = await Transcript.run(options)
            #expect(refused.status == 3)
            #expect(refused.errors.contains("champion.csv"))
            #expect(refused.errors.contains("line 2: r0"))
        }
    }
}

import ArgumentParser
import EnsembleModel
import Foundation
import RegistryAPI
import Simulation

/// Plays streams of submissions against rules of admission.
struct SimulateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Play useless and truly better submissions against a policy.",
        discussion: """
            Every run is one validation set that is used over and over by an adversary, who adds up what the shown \
            scores recommend, and by truly better challengers. The rules: gated is the registry's own, by the policy's \
            gate; gated-uninflated is the gate without its factor for folds that depend on each other, of which there \
            are none here; naive promotes whoever's loss is lower; bootstrap asks for a gain of 1.645 standard errors; \
            top-k keeps the newcomers of the largest contributions in the places of the policy's budget. Generated \
            rows and rows in files need no registry.
            """)

    @Option(
        help: ArgumentHelp(
            "Policy whose gate and budget are played, YAML or JSON. (default: the ensemble's own, or the usual one)",
            valueName: "file"))
    var policy: String?

    @Option(help: ArgumentHelp("Runs, each with rows and submissions of its own.", valueName: "n"))
    var runs = 20

    @Option(help: ArgumentHelp("Submissions in a run.", valueName: "n"))
    var submissions = 200

    @Option(help: ArgumentHelp("How many of them are truly better.", valueName: "n"))
    var trulyBetter = 20

    @Option(help: ArgumentHelp("Groups of generated rows (default: 400).", valueName: "n"))
    var groups: Int?

    @Option(help: ArgumentHelp("Rows in each generated group (default: 10).", valueName: "n"))
    var rowsPerGroup: Int?

    @Option(help: ArgumentHelp("Standard deviation of a useless challenger's noise, in logits.", valueName: "sd"))
    var noise = 0.05

    @Option(help: ArgumentHelp("Rules, separated by commas.", valueName: "rules"))
    var rule = Rule.allCases.map(\.rawValue).joined(separator: ",")

    @Option(help: ArgumentHelp("Picks all draws: the same seed gives the same figures.", valueName: "n"))
    var seed: UInt64 = 1

    @OptionGroup(title: "On own rows") var own: OwnRowsOptions

    @OptionGroup(title: "Connection") var connection: ConnectionOptions

    /// A simulation of more than this is a mistake.
    private static let maximumRuns = 10_000

    mutating func validate() throws {
        guard (1...Self.maximumRuns).contains(runs) else {
            throw ValidationError("--runs must be between 1 and \(Self.maximumRuns).")
        }
        guard !own.areGiven || (groups == nil && rowsPerGroup == nil) else {
            let option = own.ensemble == nil ? "--labels" : "--ensemble"
            throw ValidationError("--groups and --rows-per-group are of generated rows; \(option) brings its own.")
        }
        guard try !rules().isEmpty else { throw ValidationError("--rule names one rule or more.") }
    }

    private func rules() throws -> [Rule] {
        let known = Rule.allCases.map(\.rawValue).joined(separator: ", ")
        return try rule.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.map { name in
            guard let rule = Rule(rawValue: name) else {
                throw ValidationError("There is no rule '\(name)'; the rules are: \(known).")
            }
            return rule
        }.reduce(into: []) { rules, rule in
            if !rules.contains(rule) { rules.append(rule) }
        }
    }

    func run() async throws {
        let output = Output(console: .current, json: connection.json)
        let progress = ProgressLine(output.console)
        defer { progress.clear() }
        do {
            // What is wrong with the options is told before anything is fetched.
            let given = try policy.map(PolicyFile.read)
            if own.ensemble != nil { _ = try scenario(nil) }
            let own = try await own.read(connection)
            if let origin = own?.origin { output.note(origin) }
            let runs = SimulationRuns(
                scenario: try scenario(own?.rows), rules: try rules(), policy: given ?? own?.policy ?? Policy(),
                count: runs)
            let reports = try await runs.reports { done, total in
                progress.evaluation(.evaluating, EvaluationProgress(phase: "playing", completed: done, total: total))
            }
            progress.clear()
            try output.emit(reports, text: SimulationText.table)
            output.note(SimulationText.legend)
        } catch let error as SimulationError {
            throw CommandError(error.code == .invalidScenario ? .usage : .refused, error.message, cause: error)
        }
    }

    private func scenario(_ own: OwnRows?) throws -> Scenario {
        var generated = GeneratedRows()
        if let groups { generated.groups = groups }
        if let rowsPerGroup { generated.rowsPerGroup = rowsPerGroup }
        let scenario = Scenario(
            submissions: submissions, trulyBetter: trulyBetter, noise: noise, seed: seed,
            source: own.map { .own($0) } ?? .generated(generated))
        try scenario.validate()
        return scenario
    }
}

/// The runs of a simulation, as many at once as the machine has processors.
struct SimulationRuns: Sendable {
    let scenario: Scenario
    let rules: [Rule]
    let policy: Policy
    let count: Int

    /// - Parameter progress: told how many runs are done, and of how many.
    func reports(_ progress: (Int, Int) -> Void) async throws -> [RuleReport] {
        let results = try await withThrowingTaskGroup(of: (run: Int, results: [RunResult]).self) { group in
            var results = [[RunResult]](repeating: [], count: count)
            let width = min(count, ProcessInfo.processInfo.activeProcessorCount)
            for run in 0..<width { group.addTask { try play(run) } }
            var (next, done) = (width, 0)
            progress(0, count)
            while let played = try await group.next() {
                results[played.run] = played.results
                done += 1
                progress(done, count)
                if next < count {
                    group.addTask { [run = next] in try play(run) }
                    next += 1
                }
            }
            return results
        }
        return rules.indices.compactMap { rule in RuleReport(results.map { $0[rule] }) }
    }

    private func play(_ run: Int) throws -> (run: Int, results: [RunResult]) {
        (run, try scenario.play(rules, policy: policy, run: run))
    }
}

/// Simulations as people read them.
enum SimulationText {
    static let legend = """
        False promotions, gate tests and held submissions are means of a run. Power is the share of truly better
        challengers that got in, by their true gain. Gains are shares of the champion's loss: claimed on the
        validation set, fresh on rows that nobody looked at.
        """

    static func table(_ reports: [RuleReport]) -> String {
        let gains = reports.first?.power.map(\.trueGain) ?? []
        return TextTable(
            columns: [.text("rule"), .number("false promotions"), .number("runs with any")]
                + gains.map { .number("power at \(percent($0))") }
                + [.number("gate tests"), .number("held"), .number("claimed gain"), .number("fresh gain")],
            rows: reports.map { report in
                [
                    report.rule.rawValue, Format.number(report.falsePromotions, places: 2),
                    Format.number(report.runsWithFalsePromotion, places: 2),
                ] + report.power.map { Format.number($0.power, places: 2) } + [
                    report.gateTests + report.held > 0 ? Format.number(report.gateTests, places: 1) : "-",
                    report.gateTests + report.held > 0 ? Format.number(report.held, places: 1) : "-",
                    percent(report.claimedGain / report.championLoss), percent(report.freshGain / report.championLoss),
                ]
            }
        ).text
    }

    private static func percent(_ share: Double) -> String { Format.number(share * 100, places: 2) + " %" }
}

import EnsembleModel
import Testing

@testable import Simulation

struct SettingTests {
    static let wrong: [(Scenario, String)] = [
        (Scenario(submissions: 0), "submissions: 0"),
        (Scenario(trulyBetter: 21), "truly better submissions: 21 is not between 0 and 20"),
        (Scenario(submissions: 24, trulyBetter: 20), "need 25 or more in all, not 24"),
        (Scenario(noise: 0), "noise: 0.0"),
        (Scenario(noise: .nan), "noise: nan"),
        (Scenario(source: .generated(.init(groups: 1))), "groups: 1"),
        (Scenario(source: .generated(.init(rowsPerGroup: 0))), "rows per group: 0"),
        (Scenario(source: .generated(.init(groups: 50_000))), "rows: 500000"),
        (Scenario(source: .generated(.init(errorVariances: []))), "error variances"),
        (Scenario(source: .generated(.init(groups: 4))), "give a validation set with more groups"),
    ]

    @Test(arguments: wrong)
    func badSettingsAreExplained(_ scenario: Scenario, _ message: String) {
        let error = #expect(throws: SimulationError.self) {
            try scenario.play([.gated], policy: Policy(), run: 0)
        }
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "none")")
    }

    @Test func fewStreamsAreShortEnough() throws {
        let scenario = Scenario(
            submissions: 1, trulyBetter: 0, source: .generated(GeneratedRows(groups: 30, rowsPerGroup: 1)))
        #expect(try scenario.play(Rule.allCases, policy: Policy(), run: 0).count == Rule.allCases.count)
        #expect(RuleReport([]) == nil)
    }
}

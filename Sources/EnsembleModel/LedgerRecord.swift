/// What an ensemble has spent and has left in an epoch, as everybody may see it: nothing in it is a figure of sealed
/// rows.
public struct LedgerRecord: Hashable, Sendable, Codable {
    /// Gate tests made.
    public var tests: Int
    /// Gate tests left under the policy in force.
    public var testsLeft: Int
    /// Error probability spent by the tests.
    public var alphaSpent: Double
    /// Error probability left under the policy in force.
    public var alphaLeft: Double
    /// Gate tests made, by submitter.
    public var submitterTests: [String: Int]
    /// Completed evaluations: all but duplicates and holds.
    public var evaluations: Int
    /// Admissions since the founding.
    public var promotions: Int
    /// Name of a model that is held to the evaluations that must still be completed before it is judged again.
    public var coolDowns: [String: Int]

    /// Tells a ledger under the gate's switches in force.
    public init(_ ledger: Ledger, gate: Policy.Gate) {
        tests = ledger.tests
        testsLeft = ledger.testsLeft(gate)
        alphaSpent = ledger.alphaSpent
        alphaLeft = max(0, gate.alpha - ledger.alphaSpent)
        submitterTests = ledger.submitterTests
        evaluations = ledger.evaluations
        promotions = ledger.promotions
        coolDowns = ledger.coolDownsLeft
    }

    enum CodingKeys: String, CodingKey {
        case tests, evaluations, promotions
        case testsLeft = "tests_left"
        case alphaSpent = "alpha_spent"
        case alphaLeft = "alpha_left"
        case submitterTests = "submitter_tests"
        case coolDowns = "cool_downs"
    }
}
